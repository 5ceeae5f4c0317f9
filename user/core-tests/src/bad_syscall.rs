//! What a process does not survive: faults, and calls that do not come from the vDSO.

use zx_abi::info::RETCODE_EXCEPTION_KILL;

use crate::check::{check_eq, fail, home_only, ok, skip, suite, Case};
use crate::child::Mode;
use crate::world::World;

suite! {
    "BadSyscall":
    a_call_from_outside_the_vdso_ends_the_process,
    an_unknown_number_ends_the_process,
    garbage_in_the_upper_half_of_the_number_ends_the_process,
    writing_read_only_memory_ends_the_process,
    an_undefined_instruction_ends_the_process,
    executing_data_ends_the_process,
    jumping_to_null_ends_the_process,
    jumping_into_the_kernel_ends_the_process,
    reading_null_ends_the_process,
    reading_kernel_memory_ends_the_process,
    a_privileged_instruction_ends_the_process,
    reading_beyond_a_vmo_ends_the_process,
}

/// The child must be ended by the kernel, for an exception that nobody handled.
fn dies(world: &World, mode: Mode) -> Case {
    let Some(job) = &world.job else {
        skip!("no job");
    };
    let job = ok!(job.create_child());
    match world.child_code(&job, mode) {
        Ok(code) => check_eq!(code, RETCODE_EXCEPTION_KILL),
        Err(what) => fail!("{what}"),
    }
    Ok(())
}

fn a_call_from_outside_the_vdso_ends_the_process(world: &World) -> Case {
    // The kernel of July 2019 page-faults itself while printing this crash.
    home_only!(world);
    dies(world, Mode::SyscallOutside)
}

fn an_unknown_number_ends_the_process(world: &World) -> Case {
    home_only!(world);
    dies(world, Mode::UnknownSyscall)
}

fn garbage_in_the_upper_half_of_the_number_ends_the_process(world: &World) -> Case {
    home_only!(world);
    dies(world, Mode::GarbageSyscall)
}

fn writing_read_only_memory_ends_the_process(world: &World) -> Case {
    dies(world, Mode::WriteReadOnly)
}

fn an_undefined_instruction_ends_the_process(world: &World) -> Case {
    dies(world, Mode::UndefinedInstruction)
}

fn executing_data_ends_the_process(world: &World) -> Case {
    dies(world, Mode::ExecuteData)
}

fn jumping_to_null_ends_the_process(world: &World) -> Case {
    dies(world, Mode::JumpToNull)
}

fn jumping_into_the_kernel_ends_the_process(world: &World) -> Case {
    dies(world, Mode::JumpToKernel)
}

fn reading_null_ends_the_process(world: &World) -> Case {
    dies(world, Mode::ReadNull)
}

fn reading_kernel_memory_ends_the_process(world: &World) -> Case {
    dies(world, Mode::ReadKernel)
}

fn a_privileged_instruction_ends_the_process(world: &World) -> Case {
    dies(world, Mode::Privileged)
}

fn reading_beyond_a_vmo_ends_the_process(world: &World) -> Case {
    dies(world, Mode::BeyondVmo)
}
