//! Object stores that nobody here wrote: what every store must do, what is said when they refuse, and the whole
//! flow of the agent.

mod agent;
mod faults;
mod flow;
mod locks;
mod proxy;
mod refusals;
mod servers;

use crate::conformance::{Subject, check_all};

#[tokio::test]
async fn seaweedfs_does_what_every_store_must() {
    check_all(&Subject::new(servers::backend(&servers::s3_as_told()))).await;
}

#[tokio::test]
async fn azurite_does_what_every_store_must() {
    check_all(&Subject::new(servers::backend(&servers::azure_as_told()))).await;
}
