//! The line that tells how long each stage of the boot took.
//!
//! The kernel puts what it knows on the command line: `boot.loader-us=`, `boot.start-us=` (where the clock stood when the
//! kernel started, 0 without the word), `boot.kernel-us=`.

use alloc::string::String;

use libzx::println;

use crate::units::duration;

/// Nanoseconds that the stages took.
#[derive(Debug, PartialEq, Eq)]
struct Stages {
    loader: i64,
    kernel: i64,
    user: i64,
    /// From the kernel's first instruction to the prompt.
    prompt: i64,
}

pub(crate) fn print(env: &[String]) {
    if let Some(stages) = stages(env, libzx::time::now()) {
        println!(
            "boot: loader {}, kernel {}, user space {}, prompt after {}",
            duration(stages.loader),
            duration(stages.kernel),
            duration(stages.user),
            duration(stages.prompt)
        );
    }
}

/// None when another kernel started this shell.
fn stages(env: &[String], now: i64) -> Option<Stages> {
    let nanoseconds = |name: &str| {
        let value = |word: &String| {
            word.strip_prefix(name)?
                .strip_prefix('=')?
                .parse::<i64>()
                .ok()
        };
        env.iter().rev().find_map(value)?.checked_mul(1000)
    };
    let loader = nanoseconds("boot.loader-us")?;
    let kernel = nanoseconds("boot.kernel-us")?;
    let prompt = now.saturating_sub(nanoseconds("boot.start-us").unwrap_or(0));
    Some(Stages {
        loader,
        kernel,
        user: prompt.saturating_sub(kernel),
        prompt,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::vec::Vec;

    fn env(words: &[&str]) -> Vec<String> {
        words.iter().map(|&word| String::from(word)).collect()
    }

    #[test]
    fn the_stages_add_up_to_the_prompt() {
        let env = env(&[
            "a=b",
            "boot.loader-us=10",
            "boot.start-us=100",
            "boot.kernel-us=7",
        ]);
        let stages = stages(&env, 150_000).unwrap();
        assert_eq!(stages.kernel + stages.user, stages.prompt);
        assert_eq!((stages.loader, stages.prompt), (10_000, 50_000));
    }

    #[test]
    fn a_kernel_that_tells_nothing_is_asked_for_nothing() {
        assert_eq!(
            stages(&env(&["boot.loader-us=x", "boot.kernel-us=1"]), 5),
            None
        );
    }
}
