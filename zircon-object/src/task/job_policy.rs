//! Job policy: what the processes of a job may create, and how exact their timers are.

use super::block::Deadline;
pub use zx_abi::policy::{PolicyAction, PolicyCondition};
use zx_abi::{ZxError, ZxResult};

/// Number of conditions.
pub const CONDITIONS: usize = PolicyCondition::ALL.len();

/// Whether jobs below may set a condition again.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum Override {
    /// They may.
    #[default]
    Allow,
    /// They may not.
    Deny,
}

/// What to do with an entry that contradicts an earlier one that may not be overridden.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Conflict {
    /// Skip the entry (ZX_JOB_POL_RELATIVE).
    Skip,
    /// Fail all (ZX_JOB_POL_ABSOLUTE).
    Fail,
}

/// One entry as decoded from user space.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct PolicyEntry {
    /// Raw condition number.
    pub condition: u32,
    /// Raw action number.
    pub action: u32,
    /// Whether jobs below may change it.
    pub overridable: Override,
}

/// A job's policy; processes hold a copy from their creation.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct JobPolicy {
    actions: [PolicyAction; CONDITIONS],
    overrides: [Override; CONDITIONS],
    slack_ns: i64,
    slack_mode: SlackMode,
}

/// ZX_TIMER_SLACK_*: where a timer with slack may fire.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
#[repr(u32)]
pub enum SlackMode {
    /// Around its deadline.
    #[default]
    Center = 0,
    /// Not after it.
    Early = 1,
    /// Not before it.
    Late = 2,
}

impl SlackMode {
    /// The window of a deadline.
    #[must_use]
    pub const fn deadline(self, when: i64, slack_ns: i64) -> Deadline {
        let (early, late) = match self {
            Self::Center => (slack_ns, slack_ns),
            Self::Early => (slack_ns, 0),
            Self::Late => (0, slack_ns),
        };
        Deadline { when, early, late }
    }
    /// The mode of a raw number.
    #[must_use]
    pub const fn from_raw(raw: u32) -> Option<Self> {
        match raw {
            0 => Some(Self::Center),
            1 => Some(Self::Early),
            2 => Some(Self::Late),
            _ => None,
        }
    }
}

impl Default for JobPolicy {
    fn default() -> Self {
        Self {
            actions: [PolicyAction::Allow; CONDITIONS],
            overrides: [Override::Allow; CONDITIONS],
            slack_ns: 0,
            slack_mode: SlackMode::Center,
        }
    }
}

impl JobPolicy {
    /// What happens under a condition.
    #[inline(always)]
    #[must_use]
    pub fn action(&self, condition: PolicyCondition) -> PolicyAction {
        self.actions[condition as usize]
    }

    /// The policy with these entries added; unchanged on any error.
    ///
    /// # Errors
    /// - `NotSupported`: unknown action.
    /// - `InvalidArgs`: unknown condition.
    /// - `AlreadyExists`: an entry contradicts one that may not be overridden, and `conflict` says to fail.
    pub fn with_entries(&self, conflict: Conflict, entries: &[PolicyEntry]) -> ZxResult<Self> {
        let mut new = *self;
        let mut explicit = [false; CONDITIONS];
        for entry in entries {
            let condition = usize::try_from(entry.condition)
                .ok()
                .filter(|condition| *condition < CONDITIONS);
            let action = PolicyAction::from_raw(entry.action).ok_or(ZxError::NotSupported)?;
            let condition = condition.ok_or(ZxError::InvalidArgs)?;
            if condition == PolicyCondition::NewAny as usize {
                let all_new =
                    PolicyCondition::NewVmo as usize..=PolicyCondition::NewProfile as usize;
                for each in all_new.filter(|each| !explicit[*each]) {
                    new.set(self, each, action, entry.overridable, conflict)?;
                }
            }
            explicit[condition] = true;
            new.set(self, condition, action, entry.overridable, conflict)?;
        }
        Ok(new)
    }

    fn set(
        &mut self,
        before: &Self,
        condition: usize,
        action: PolicyAction,
        overridable: Override,
        conflict: Conflict,
    ) -> ZxResult {
        match (before.overrides[condition], conflict) {
            (Override::Allow, _) => {
                self.actions[condition] = action;
                self.overrides[condition] = overridable;
                Ok(())
            }
            (Override::Deny, _) if before.actions[condition] == action => Ok(()),
            (Override::Deny, Conflict::Skip) => Ok(()),
            (Override::Deny, Conflict::Fail) => Err(ZxError::AlreadyExists),
        }
    }

    /// The policy with at least this timer slack.
    #[must_use]
    pub fn with_slack(&self, slack_ns: i64, mode: SlackMode) -> Self {
        Self {
            slack_ns: self.slack_ns.max(slack_ns),
            slack_mode: mode,
            ..*self
        }
    }

    /// The window that a deadline of the process has.
    #[inline(always)]
    #[must_use]
    pub fn deadline(&self, when: i64) -> Deadline {
        if self.slack_ns == 0 {
            Deadline::exact(when)
        } else {
            self.slack_mode.deadline(when, self.slack_ns)
        }
    }

    /// The slack of waits and timers, ns.
    #[must_use]
    pub fn slack_ns(&self) -> i64 {
        self.slack_ns
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn deny(condition: PolicyCondition) -> PolicyEntry {
        PolicyEntry {
            condition: condition as u32,
            action: 1,
            overridable: Override::Deny,
        }
    }

    #[test]
    fn a_denied_condition_cannot_be_relaxed_below() {
        let parent = JobPolicy::default()
            .with_entries(Conflict::Fail, &[deny(PolicyCondition::NewVmo)])
            .unwrap();
        let allow = PolicyEntry {
            action: 0,
            ..deny(PolicyCondition::NewVmo)
        };
        assert_eq!(
            parent.with_entries(Conflict::Fail, &[allow]),
            Err(ZxError::AlreadyExists)
        );
        let child = parent.with_entries(Conflict::Skip, &[allow]).unwrap();
        assert_eq!(child.action(PolicyCondition::NewVmo), PolicyAction::Deny);
    }

    #[test]
    fn new_any_covers_what_is_not_named() {
        let allow = PolicyEntry {
            action: 0,
            ..deny(PolicyCondition::NewEvent)
        };
        let policy = JobPolicy::default()
            .with_entries(Conflict::Fail, &[allow, deny(PolicyCondition::NewAny)])
            .unwrap();
        assert_eq!(
            policy.action(PolicyCondition::NewEvent),
            PolicyAction::Allow
        );
        assert_eq!(
            policy.action(PolicyCondition::NewProfile),
            PolicyAction::Deny
        );
        assert_eq!(
            policy.action(PolicyCondition::AmbientMarkVmoExec),
            PolicyAction::Allow
        );
    }

    #[test]
    fn an_unknown_entry_is_refused() {
        let policy = JobPolicy::default();
        let unknown = PolicyEntry {
            condition: 15,
            ..deny(PolicyCondition::NewVmo)
        };
        assert_eq!(
            policy.with_entries(Conflict::Skip, &[unknown]),
            Err(ZxError::InvalidArgs)
        );
        let strange = PolicyEntry {
            action: 5,
            ..deny(PolicyCondition::NewVmo)
        };
        assert_eq!(
            policy.with_entries(Conflict::Skip, &[strange]),
            Err(ZxError::NotSupported)
        );
    }
}
