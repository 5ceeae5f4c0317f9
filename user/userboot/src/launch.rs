//! Starts the program, or the interpreter it asks for.

use alloc::string::String;
use alloc::vec;
use alloc::vec::Vec;

use libzx::elf::Plan;
use libzx::process::{plan, Builder, File, LaunchError, Loaded, DEFAULT_STACK_SIZE};
use libzx::{procargs, AsHandle, Channel, Handle, Process, Rights, VmOptions, Vmar};
use zx_abi::procargs::{
    pa_hnd, PA_FD, PA_LDSVC_LOADER, PA_PROC_SELF, PA_THREAD_SELF, PA_VMAR_LOADED, PA_VMAR_ROOT,
    PA_VMO_EXECUTABLE,
};
use zx_abi::ZxResult;

use crate::files::Files;
use crate::handoff::Handoff;
use crate::log::{Failure, Line, Log, Outcome};

/// Bytes reserved for the environment in the program's message.
const ENVIRON_SIZE: usize = 4096;
const STACK_NAME: &str = "userboot-child-initial-stack";

/// A started program.
#[derive(Debug)]
pub(crate) struct Started {
    pub(crate) process: Process,
    /// Where its loader asks for libraries, if it has one.
    pub(crate) loader: Option<Channel>,
}

/// Loads and starts the program `name` with the kernel's handles and the words of the command line.
pub(crate) fn start(
    files: &Files,
    handoff: &mut Handoff,
    log: &Log,
    name: &str,
    words: &[&str],
) -> Outcome<Started> {
    let program = files.find(name).ok_or_else(|| files.not_found(name))?;
    let program_plan = plan(&program).map_err(|error| launch_failure(name, error))?;
    let builder = Builder::new(handoff.job(), name).map_err(|error| launch_failure(name, error))?;
    let reserved = reserve_low_half(&builder.root_vmar)
        .map_err(|error| Failure::call("reserving memory", error))?;
    let (to_child, bootstrap) =
        Channel::create().map_err(|error| Failure::call("channel_create", error))?;

    let (loaded, stack_size, loader) = match program_plan.interpreter {
        None => (
            load(&builder, &program, &program_plan, name)?,
            program_plan.stack_size,
            None,
        ),
        Some((offset, len)) => {
            let interpreter = interpreter_name(&program, offset, len, name)?;
            let file = files.find(&interpreter);
            let file = file.ok_or_else(|| files.not_found(&interpreter))?;
            let its_plan = plan(&file).map_err(|error| launch_failure(&interpreter, error))?;
            let loaded = load(&builder, &file, &its_plan, &interpreter)?;
            let loader = tell_loader(files, &program, name, &builder, &loaded, &to_child, log);
            let loader = loader.map_err(|error| Failure::call("starting the loader", error))?;
            (loaded, its_plan.stack_size, Some(loader))
        }
    };
    let vdso_base = builder
        .load_vdso(handoff.vdso())
        .map_err(|error| launch_failure("the vDSO", error))?;
    let stack = builder.map_stack(stack_size.unwrap_or(DEFAULT_STACK_SIZE), STACK_NAME);
    let stack = stack.map_err(|error| launch_failure(name, error))?;
    reserved
        .destroy()
        .map_err(|error| Failure::call("vmar_destroy", error))?;

    let bootfs = files
        .duplicate()
        .map_err(|error| Failure::call("handle_duplicate", error))?;
    let copy = |object: &Builder| -> ZxResult<(Handle, Handle, Handle)> {
        let same = Rights::SAME_RIGHTS;
        Ok((
            object.process.duplicate(same)?.into(),
            object.root_vmar.duplicate(same)?.into(),
            object.thread.duplicate(same)?.into(),
        ))
    };
    let own = copy(&builder).map_err(|error| Failure::call("handle_duplicate", error))?;
    let (tags, handles) = handoff.take_message(own.0, own.1, own.2, bootfs.into())?;
    to_child
        .write(&message(&tags, words), handles)
        .map_err(|error| Failure::call("channel_write", error))?;
    let process = builder.start(loaded.entry, stack, bootstrap, vdso_base);
    Ok(Started {
        process: process.map_err(|error| launch_failure(name, error))?,
        loader,
    })
}

fn load(builder: &Builder, file: &File<'_>, plan: &Plan, name: &str) -> Outcome<Loaded> {
    builder
        .load(file, plan)
        .map_err(|error| launch_failure(name, error))
}

/// Keeps everything that is mapped before the start out of the lower half, so that the program finds it free.
fn reserve_low_half(root_vmar: &Vmar) -> ZxResult<Vmar> {
    let (base, len) = root_vmar.range()?;
    let half = ((base + len) / 2).next_multiple_of(4096);
    Ok(root_vmar.allocate(VmOptions::SPECIFIC, 0, half - base)?.0)
}

/// `lib/` and what PT_INTERP says.
fn interpreter_name(program: &File<'_>, offset: u64, len: u64, name: &str) -> Outcome<String> {
    let bytes = program
        .read(offset, len.min(256))
        .map_err(|error| Failure::call("vmo_read", error))?;
    let end = bytes
        .iter()
        .position(|&byte| byte == 0)
        .unwrap_or(bytes.len());
    let text = bytes
        .get(..end)
        .and_then(|bytes| core::str::from_utf8(bytes).ok());
    let text =
        text.ok_or_else(|| Failure::about(name, "names its interpreter in no known alphabet"))?;
    let mut path = String::from("lib/");
    path.push_str(text);
    Ok(path)
}

/// Sends the loader what it needs to load the program, and returns the channel it will ask for libraries through.
fn tell_loader(
    files: &Files,
    program: &File<'_>,
    name: &str,
    builder: &Builder,
    loaded: &Loaded,
    to_child: &Channel,
    log: &Log,
) -> ZxResult<Channel> {
    let same = Rights::SAME_RIGHTS;
    let (service, client) = Channel::create()?;
    let mut tags = Vec::new();
    let mut handles: Vec<Handle> = Vec::new();
    let mut add = |kind: u8, handle: Handle| {
        tags.push(pa_hnd(kind, 0));
        handles.push(handle);
    };
    add(PA_VMO_EXECUTABLE, files.vmo_of(program, name)?.into());
    if let Some(debuglog) = log.debuglog() {
        add(PA_FD, debuglog.duplicate_handle(same)?);
    }
    add(PA_PROC_SELF, builder.process.duplicate_handle(same)?);
    add(PA_VMAR_ROOT, builder.root_vmar.duplicate_handle(same)?);
    add(PA_VMAR_LOADED, loaded.vmar.duplicate_handle(same)?);
    add(PA_THREAD_SELF, builder.thread.duplicate_handle(same)?);
    add(PA_LDSVC_LOADER, client.into());
    let env = vec!["LD_DEBUG=1"];
    to_child.write(&procargs::build(&tags, &[], &env), handles)?;
    Ok(service)
}

/// The program's bootstrap message. The environment has a fixed size, as foreign programs have always seen it.
fn message(tags: &[u32], words: &[&str]) -> Vec<u8> {
    let mut bytes = procargs::build(tags, &[], words);
    let size = procargs::build(tags, &[], &[]).len() + ENVIRON_SIZE;
    if bytes.len() < size {
        bytes.resize(size, 0);
    }
    bytes
}

fn launch_failure(name: &str, error: LaunchError) -> Failure {
    match error {
        LaunchError::Elf(error) => Failure::about(name, error.text()),
        LaunchError::NeedsInterpreter => Failure::about(name, "needs an interpreter"),
        LaunchError::Call(call, error) => {
            let line = Line::new()
                .text("'")
                .text(name)
                .text("': ")
                .text(call)
                .text(" failed: ");
            Failure {
                line: line.text(error.name()),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_message_has_room_for_4096_bytes_of_environment() {
        let tags = [0; 17];
        assert_eq!(message(&tags, &["a=1"]).len(), 36 + 17 * 4 + 4096);
        let received = message(&tags, &["a=1", "b="]);
        let received = procargs::Received::parse(&received, 17).unwrap();
        assert_eq!(received.env().collect::<Vec<_>>(), ["a=1", "b="]);
    }

    #[test]
    fn failures_name_the_file_and_the_call() {
        let failure = launch_failure(
            "bin/x",
            LaunchError::Call("vmar_map", zx_abi::ZxError::NoMemory),
        );
        assert_eq!(
            crate::text_of(&failure.line),
            b"userboot: 'bin/x': vmar_map failed: ZX_ERR_NO_MEMORY"
        );
        let failure = launch_failure("bin/x", LaunchError::Elf(libzx::elf::ElfError::NotAnX86Elf));
        assert_eq!(
            crate::text_of(&failure.line),
            b"userboot: 'bin/x' is not an ELF file for 64-bit x86"
        );
    }
}
