//! Properties of processes and threads.

use libzx::{AsHandle, Event, Rights, Unowned, ZxResult};
use mini_process::{Code, MiniProcess, Register};
use zx_abi::property::{Property, PROCESS_DEBUG_ADDR_BREAK_ON_SET};
use zx_abi::syscalls::SyscallId;

use super::subject::{ends_with, job, mini, own_thread, vdso};
use crate::check::{check, check_eq, fails, home_only, ok, suite, Case};
use crate::memory::{arg, call, Scratch, BAD_ADDRESSES};
use crate::world::World;

suite! {
    "TaskProperty":
    the_debug_address_is_zero_at_first,
    the_debug_address_is_set_once,
    the_debug_address_may_ask_for_a_stop_before,
    the_debug_address_is_checked,
    the_vdso_address_is_where_it_is_mapped,
    the_vdso_address_cannot_be_set,
    break_on_load_is_kept,
    the_trace_context_is_read_only,
    the_bases_of_the_segments_can_be_set_by_the_thread,
    the_bases_of_another_thread_are_out_of_reach,
    the_bases_must_be_addresses_of_programs,
    the_bases_cannot_be_read,
    names_of_threads_end_at_the_first_zero,
    names_from_nowhere_are_refused,
    unknown_numbers_are_refused,
    properties_of_others_are_of_the_wrong_type,
    the_rights_are_needed,
}

fn get(process: &impl AsHandle, property: Property) -> ZxResult<u64> {
    let mut bytes = [0; 8];
    process.get_property(property, &mut bytes)?;
    Ok(u64::from_le_bytes(bytes))
}

fn set(object: &impl AsHandle, property: Property, value: u64) -> ZxResult {
    object.set_property(property, &value.to_le_bytes())
}

const DEBUG: Property = Property::ProcessDebugAddr;

fn the_debug_address_is_zero_at_first(world: &World) -> Case {
    let mini = mini(world, &Code::new())?;
    check_eq!(ok!(get(&mini.process, DEBUG)), 0);
    Ok(())
}

fn the_debug_address_is_set_once(world: &World) -> Case {
    let mini = mini(world, &Code::new())?;
    ok!(set(&mini.process, DEBUG, 0x1234_5678));
    check_eq!(ok!(get(&mini.process, DEBUG)), 0x1234_5678);
    fails!(set(&mini.process, DEBUG, 0x1000), AccessDenied);
    fails!(set(&mini.process, DEBUG, 1), AccessDenied);
    check_eq!(ok!(get(&mini.process, DEBUG)), 0x1234_5678);
    Ok(())
}

fn the_debug_address_may_ask_for_a_stop_before(world: &World) -> Case {
    let mini = mini(world, &Code::new())?;
    for _ in 0..2 {
        ok!(set(&mini.process, DEBUG, PROCESS_DEBUG_ADDR_BREAK_ON_SET));
        check_eq!(
            ok!(get(&mini.process, DEBUG)),
            PROCESS_DEBUG_ADDR_BREAK_ON_SET
        );
    }
    ok!(set(&mini.process, DEBUG, 0x9000));
    fails!(set(&mini.process, DEBUG, 1), AccessDenied);
    Ok(())
}

fn the_debug_address_is_checked(world: &World) -> Case {
    let mini = mini(world, &Code::new())?;
    fails!(set(&mini.process, DEBUG, 0), InvalidArgs);
    fails!(mini.process.set_property(DEBUG, &[1; 7]), BufferTooSmall);
    fails!(
        mini.process.get_property(DEBUG, &mut [0; 7]),
        BufferTooSmall
    );
    fails!(set(&mini.thread, DEBUG, 1), WrongType);
    fails!(get(&mini.thread, DEBUG), WrongType);
    Ok(())
}

const VDSO: Property = Property::ProcessVdsoBaseAddress;

fn the_vdso_address_is_where_it_is_mapped(world: &World) -> Case {
    let plain = mini(world, &Code::new())?;
    check_eq!(ok!(get(&plain.process, VDSO)), 0);
    let mut exit = 0;
    let with = ok!(MiniProcess::with_vdso(
        &job(world)?,
        vdso(world)?,
        |_, function| {
            exit = function(SyscallId::ProcessExit);
        }
    ));
    let here = libzx::raw::address(SyscallId::ProcessExit) - libzx::own_vdso_base();
    check_eq!(ok!(get(&with.process, VDSO)), (exit - here) as u64);
    Ok(())
}

fn the_vdso_address_cannot_be_set(world: &World) -> Case {
    let mini = mini(world, &Code::new())?;
    fails!(set(&mini.process, VDSO, 0x10_0000), InvalidArgs);
    fails!(mini.process.get_property(VDSO, &mut [0; 7]), BufferTooSmall);
    fails!(get(&mini.thread, VDSO), WrongType);
    Ok(())
}

fn break_on_load_is_kept(world: &World) -> Case {
    home_only!(world);
    let mini = mini(world, &Code::new())?;
    let property = Property::ProcessBreakOnLoad;
    check_eq!(ok!(get(&mini.process, property)), 0);
    for value in [1, 0, 0x7000_0000_0000] {
        ok!(set(&mini.process, property, value));
        check_eq!(ok!(get(&mini.process, property)), value);
    }
    fails!(mini.process.set_property(property, &[0; 7]), BufferTooSmall);
    fails!(
        mini.process.get_property(property, &mut [0; 7]),
        BufferTooSmall
    );
    fails!(set(&mini.thread, property, 1), WrongType);
    Ok(())
}

fn the_trace_context_is_read_only(world: &World) -> Case {
    home_only!(world);
    let mini = mini(world, &Code::new())?;
    let property = Property::ProcessHwTraceContextId;
    let other = super::subject::mini(world, &Code::new())?;
    let (one, two) = (
        ok!(get(&mini.process, property)),
        ok!(get(&other.process, property)),
    );
    check!(one != 0 && one != two);
    fails!(
        mini.process.get_property(property, &mut [0; 7]),
        BufferTooSmall
    );
    fails!(get(&mini.thread, property), WrongType);
    fails!(set(&mini.process, property, 0), InvalidArgs);
    Ok(())
}

/// A process whose thread gives itself both bases, reads a word through each, and ends.
fn the_bases_of_the_segments_can_be_set_by_the_thread(world: &World) -> Case {
    let vdso = vdso(world)?;
    let data = mini_process::DATA as u64;
    let mini = ok!(MiniProcess::with_vdso(
        &job(world)?,
        vdso,
        |code, function| {
            // Word 30 keeps the thread's own handle.
            code.store(30, Register::Rdi);
            for (property, base) in [(Property::RegisterFs, 32), (Property::RegisterGs, 48)] {
                code.set(Register::Rax, data + base * 8)
                    .store(31, Register::Rax);
                code.load(Register::Rdi, 30)
                    .set(Register::Rsi, u64::from(property.raw()))
                    .set(Register::Rdx, data + 31 * 8)
                    .set(Register::Rcx, 8);
                code.call(function(SyscallId::ObjectSetProperty));
                code.store(1, Register::Rax);
            }
            // mov rax, fs:[0]; mov rcx, gs:[0]
            code.bytes(&[0x64, 0x48, 0x8b, 0x04, 0x25, 0, 0, 0, 0]);
            code.bytes(&[0x65, 0x48, 0x8b, 0x0c, 0x25, 0, 0, 0, 0]);
            code.store(2, Register::Rax).store(3, Register::Rcx);
            code.set(Register::Rdi, 0);
            code.call(function(SyscallId::ProcessExit));
        }
    ));
    ok!(mini.set_word(32, 0xf5));
    ok!(mini.set_word(48, 0x65));
    ok!(mini.start_with(ok!(mini.thread.duplicate(Rights::SAME_RIGHTS)).into()));
    ends_with(&mini.process, 0)?;
    check_eq!(
        [ok!(mini.word(1)), ok!(mini.word(2)), ok!(mini.word(3))],
        [0, 0xf5, 0x65]
    );
    Ok(())
}

fn the_bases_of_another_thread_are_out_of_reach(world: &World) -> Case {
    let mini = mini(world, &Code::new())?;
    for property in [Property::RegisterFs, Property::RegisterGs] {
        fails!(set(&mini.thread, property, 0x10_0000), AccessDenied);
        fails!(set(&mini.process, property, 0x10_0000), WrongType);
        fails!(mini.thread.set_property(property, &[0; 7]), BufferTooSmall);
    }
    Ok(())
}

fn the_bases_must_be_addresses_of_programs(_: &World) -> Case {
    let own = ok!(own_thread());
    for property in [Property::RegisterFs, Property::RegisterGs] {
        for bad in [0x8000_0000_0000, 0xffff_8000_0000_0000, u64::MAX] {
            fails!(set(&own, property, bad), InvalidArgs);
        }
        let page = [arg(&own), property.raw() as usize, 0x1000, 8];
        fails!(call(SyscallId::ObjectSetProperty, &page), InvalidArgs);
    }
    Ok(())
}

fn the_bases_cannot_be_read(_: &World) -> Case {
    let own = ok!(own_thread());
    for property in [Property::RegisterFs, Property::RegisterGs] {
        fails!(get(&own, property), InvalidArgs);
    }
    Ok(())
}

fn names_of_threads_end_at_the_first_zero(world: &World) -> Case {
    let mini = mini(world, &Code::new())?;
    ok!(mini.thread.set_property(Property::Name, b"one\0two"));
    check_eq!(ok!(mini.thread.name()), "one");
    let mut bytes = [0xff; 32];
    ok!(mini.thread.get_property(Property::Name, &mut bytes));
    check_eq!(bytes[4..], [0; 28]);
    fails!(
        mini.thread.get_property(Property::Name, &mut [0; 31]),
        BufferTooSmall
    );
    Ok(())
}

fn names_from_nowhere_are_refused(world: &World) -> Case {
    let mini = mini(world, &Code::new())?;
    let name = Property::Name.raw() as usize;
    for bad in BAD_ADDRESSES {
        for task in [arg(&mini.process), arg(&mini.thread)] {
            fails!(
                call(SyscallId::ObjectSetProperty, &[task, name, bad, 4]),
                InvalidArgs
            );
            fails!(
                call(SyscallId::ObjectGetProperty, &[task, name, bad, 32]),
                InvalidArgs
            );
        }
    }
    Ok(())
}

fn unknown_numbers_are_refused(world: &World) -> Case {
    let mini = mini(world, &Code::new())?;
    let page = ok!(Scratch::new());
    for unknown in [0, 1, 9, 99, u32::MAX as usize] {
        let args = [arg(&mini.process), unknown, page.address(), 64];
        fails!(call(SyscallId::ObjectGetProperty, &args), InvalidArgs);
        fails!(call(SyscallId::ObjectSetProperty, &args), InvalidArgs);
    }
    Ok(())
}

fn properties_of_others_are_of_the_wrong_type(world: &World) -> Case {
    let mini = mini(world, &Code::new())?;
    for property in [Property::SocketRxThreshold, Property::SocketTxThreshold] {
        fails!(get(&mini.process, property), WrongType);
        fails!(set(&mini.process, property, 0), WrongType);
    }
    fails!(
        mini.process.set_property(Property::ExceptionState, &[0; 4]),
        WrongType
    );
    fails!(
        mini.process
            .get_property(Property::ExceptionState, &mut [0; 4]),
        WrongType
    );
    Ok(())
}

fn the_rights_are_needed(world: &World) -> Case {
    let mini = mini(world, &Code::new())?;
    let rights = Rights::default_for(zx_abi::ObjectType::Process);
    let deaf = ok!(mini
        .process
        .duplicate(rights.difference(Rights::GET_PROPERTY)));
    fails!(get(&deaf, DEBUG), AccessDenied);
    ok!(set(&deaf, DEBUG, 1));
    let mute = ok!(mini
        .process
        .duplicate(rights.difference(Rights::SET_PROPERTY)));
    fails!(set(&mute, DEBUG, 1), AccessDenied);
    ok!(get(&mute, DEBUG));
    fails!(get(&Unowned(0), DEBUG), BadHandle);
    fails!(set(&Unowned(0), DEBUG, 1), BadHandle);
    fails!(get(&ok!(Event::create()), DEBUG), AccessDenied);
    Ok(())
}
