//! Steps that make members ready for marks. Wire types like all steps: fields are added, never renamed.

use serde::{Deserialize, Serialize};

use crate::model::MemberName;

/// Makes what marks need.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PrepareMember {
    /// The member.
    pub member: MemberName,
    /// Logins of this host that marks arrive as, who get EXECUTE; the agent's own first.
    pub grantees: Vec<String>,
}

/// Removes what [`PrepareMember`] made.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RemovePrepared {
    /// The member.
    pub member: MemberName,
}
