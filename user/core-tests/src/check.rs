//! What a case says: passed, failed at a line, or skipped; and the macros that say it.

use alloc::string::String;

/// Why a case did not pass.
#[derive(Debug)]
pub(crate) enum Outcome {
    /// The kernel did something else than it should.
    Failed {
        file: &'static str,
        line: u32,
        what: String,
    },
    /// The case cannot run here.
    Skipped(String),
}

/// What a case returns.
pub(crate) type Case = Result<(), Outcome>;

/// Ends the case as failed, with a message as for `format!`.
macro_rules! fail {
    ($($what:tt)*) => {
        return Err($crate::check::Outcome::Failed {
            file: file!(),
            line: line!(),
            what: alloc::format!($($what)*),
        })
    };
}

/// Ends the case as skipped.
macro_rules! skip {
    ($($what:tt)*) => {
        return Err($crate::check::Outcome::Skipped(alloc::format!($($what)*)))
    };
}

/// The condition must hold.
macro_rules! check {
    ($condition:expr) => {
        if !$condition {
            $crate::check::fail!("{} does not hold", stringify!($condition));
        }
    };
}

/// The first value must equal the second.
macro_rules! check_eq {
    ($found:expr, $expected:expr) => {{
        let (found, expected) = (&$found, &$expected);
        if *found != *expected {
            $crate::check::fail!("{} is {found:?} and not {expected:?}", stringify!($found));
        }
    }};
}

/// The call must succeed; gives its value.
macro_rules! ok {
    ($call:expr) => {
        match $call {
            Ok(value) => value,
            Err(error) => $crate::check::fail!("{}: {error}", stringify!($call)),
        }
    };
}

/// The call must fail with this error.
macro_rules! fails {
    ($call:expr, $error:ident) => {
        match $call {
            Err(libzx::ZxError::$error) => {}
            Err(error) => $crate::check::fail!(
                "{}: {error} and not {}",
                stringify!($call),
                libzx::ZxError::$error
            ),
            Ok(_) => $crate::check::fail!(
                "{} succeeded and should be {}",
                stringify!($call),
                libzx::ZxError::$error
            ),
        }
    };
}

/// Skips the case unless the vDSO has these calls.
macro_rules! needs {
    ($($call:ident),+ $(,)?) => {
        $(
            if !libzx::sys::available(zx_abi::syscalls::SyscallId::$call) {
                $crate::check::skip!("call missing: {}", stringify!($call));
            }
        )+
    };
}

/// Skips the case on kernels before 2020.
macro_rules! home_only {
    ($world:expr) => {
        if $world.level != $crate::world::Level::Home {
            $crate::check::skip!("2020 only");
        }
    };
}

/// Lists the cases of a file as `SUITE`.
macro_rules! suite {
    ($name:literal: $($case:ident,)+) => {
        /// The cases of this file.
        pub(crate) const SUITE: $crate::runner::Suite = $crate::runner::Suite {
            name: $name,
            cases: &[$((stringify!($case), $case),)+],
        };
    };
}

pub(crate) use {check, check_eq, fail, fails, home_only, needs, ok, skip, suite};
