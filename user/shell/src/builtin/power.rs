//! `poweroff` and `reboot`.

use libzx::println;
use zx_abi::power::PowerCommand;

use super::{Builtin, FAILED};
use crate::Shell;

pub(super) const POWEROFF: Builtin = Builtin {
    name: "poweroff",
    usage: "",
    summary: "switches the machine off",
    run: |shell, _, _| power(shell, PowerCommand::Shutdown),
};

pub(super) const REBOOT: Builtin = Builtin {
    name: "reboot",
    usage: "",
    summary: "restarts the machine",
    run: |shell, _, _| power(shell, PowerCommand::Reboot),
};

fn power(shell: &Shell, command: PowerCommand) -> i64 {
    match shell.resource.powerctl(command) {
        Ok(()) => 0,
        Err(error) => {
            println!("system_powerctl: {error}");
            FAILED
        }
    }
}
