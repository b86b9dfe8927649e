//! What becomes of an effect between the agent and its world.
//!
//! Start at [`Fate`]. Who decides it is a [`Fates`]: a saga's single strike, or the weather of a whole story.

use std::future::{Future, pending};

use stopmark::error::{Code, Error, Result, Retry};
use stopmark::plan::BackUp;
use stopmark::run::events::BackedUp;

/// The words by which a person, or a test, knows the injected failure again.
pub(crate) const WORDS: &str = "struck by the test";

/// What becomes of one effect.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fate {
    /// It is done, and answers.
    Passes,
    /// It fails and nothing was done.
    FailsBefore,
    /// It is done, as well as may be, and whoever asked never hears of it.
    FailsAfter,
    /// Who asked for it is dead before anything was done.
    NeverBegins,
    /// It is done, and who asked for it is dead.
    NeverReturns,
}

/// Decides about effects.
pub(crate) trait Fates: Send + Sync {
    /// What becomes of this one; asked once for each. `key` names an object, where it is about one.
    fn of(&self, verb: &'static str, key: &str) -> Fate;

    /// A host took this backup, whether or not whoever asked for it lives to hear of it.
    fn has_taken(&self, _step: &BackUp, _facts: &BackedUp) {}
}

impl Fate {
    /// Lets an effect meet its fate. `code` is what a failure of its room has.
    pub(crate) async fn meet<T: Send>(
        self,
        (verb, code): (&'static str, Code),
        effect: impl Future<Output = Result<T>> + Send,
    ) -> Result<T> {
        let failed = |retry| Err(Error::new(code, format!("`{verb}` was {WORDS}")).retry(retry));
        match self {
            Self::Passes => effect.await,
            Self::FailsBefore => failed(Retry::Safe),
            Self::FailsAfter => {
                drop(effect.await);
                failed(Retry::AfterCheck)
            }
            Self::NeverBegins => pending().await,
            Self::NeverReturns => {
                drop(effect.await);
                pending().await
            }
        }
    }
}
