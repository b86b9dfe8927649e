//! The instance as the wire sees it: who may log in.
//!
//! Start at the implementation of [`Backend`]. What a session does with requests stands in
//! `session/backend.rs`.

use std::sync::Arc;

use async_trait::async_trait;

use super::Instance;
use crate::error::SqlError;
use crate::messages;
use crate::session::SessionHandle;
use crate::wire::api::{Backend, BackendSession, LoginRequest, ServerVersion};

/// An instance that the wire can share among connections.
#[derive(Clone, Debug)]
pub struct InstanceBackend(pub Arc<Instance>);

#[async_trait]
impl Backend for InstanceBackend {
    async fn login(&self, request: &LoginRequest) -> Result<Box<dyn BackendSession>, SqlError> {
        let instance = &self.0;
        if instance.faults.is_killed() {
            return Err(shutting_down());
        }
        if request.integrated {
            return Err(messages::untrusted_domain());
        }
        let login = instance.login(&request.user_name);
        let login = login.filter(|l| !l.disabled && l.password.matches(&request.password));
        let login = login.ok_or_else(|| messages::login_failed(&request.user_name))?;
        let session = SessionHandle::open(instance, login, request)?;
        Ok(Box::new(session))
    }

    fn server_name(&self) -> String {
        self.0.name()
    }

    fn version(&self) -> ServerVersion {
        let version = self.0.options.version;
        ServerVersion {
            major: version.major(),
            minor: 0,
            build: version.build(),
        }
    }
}

/// SQL Server says 6005 to whoever comes while it goes down.
fn shutting_down() -> SqlError {
    SqlError::new(6005, 14, "SHUTDOWN is in progress.")
}
