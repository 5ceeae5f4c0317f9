//! What this program does when a row starts it again as another process.

use libzx::{Channel, EventPair, Startup, ZxError, ZxResult};
use zx_abi::procargs::PA_USER0;

use crate::round_trip;

/// The argument that makes an instance a child; the mode follows.
pub(crate) const FLAG: &str = "--child";

/// What the child does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Mode {
    /// Ends at once.
    Exit,
    /// Sends back every message until the peer closes.
    Echo,
    /// Answers signals until the peer closes.
    Signal,
}

impl Mode {
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Exit => "exit",
            Self::Echo => "echo",
            Self::Signal => "signal",
        }
    }

    fn from_name(name: &str) -> Option<Self> {
        [Self::Exit, Self::Echo, Self::Signal]
            .into_iter()
            .find(|mode| mode.name() == name)
    }
}

/// Runs as a child if the arguments say so, and gives the exit code.
pub(crate) fn run_if_child(startup: &mut Startup) -> Option<i64> {
    let at = startup.args.iter().position(|arg| arg == FLAG)?;
    let mode = startup
        .args
        .get(at + 1)
        .and_then(|name| Mode::from_name(name));
    let done = mode.map_or(Err(ZxError::NotFound), |mode| run(mode, startup));
    Some(i64::from(done.is_err()))
}

fn run(mode: Mode, startup: &mut Startup) -> ZxResult {
    match mode {
        Mode::Exit => Ok(()),
        Mode::Echo => {
            let channel: Channel = startup.take(PA_USER0, 0).ok_or(ZxError::BadHandle)?;
            round_trip::echo(&channel);
            Ok(())
        }
        Mode::Signal => {
            let pair: EventPair = startup.take(PA_USER0, 0).ok_or(ZxError::BadHandle)?;
            round_trip::answer(&pair);
            Ok(())
        }
    }
}
