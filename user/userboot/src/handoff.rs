//! The handles that go from the kernel through userboot to the program.

use alloc::vec::Vec;
use core::mem;

use libzx::{AsHandle, Handle, Job, Resource, Vmo};
use zx_abi::info::{HandleBasicInfo, InfoTopic};
use zx_abi::procargs::{
    pa_hnd, PA_JOB_DEFAULT, PA_PROC_SELF, PA_RESOURCE, PA_THREAD_SELF, PA_VMAR_ROOT,
    PA_VMO_BOOTDATA, PA_VMO_BOOTFS, PA_VMO_KERNEL_FILE, PA_VMO_VDSO,
};

use crate::log::{Failure, Line, Outcome};

/// How many handles the kernel sends.
const COUNT: usize = 15;
const PROCESS: usize = 0;
const ROOT_VMAR: usize = 1;
const ROOT_JOB: usize = 2;
const ROOT_RESOURCE: usize = 3;
const ZBI: usize = 4;
const FIRST_VDSO: usize = 5;
const FIRST_KERNEL_FILE: usize = 8;

/// The kernel's handles, typed where userboot uses them.
#[derive(Debug)]
pub(crate) struct Handoff {
    job: Job,
    resource: Resource,
    zbi: Vmo,
    vdso: Vmo,
    /// All places; those of the fields above are empty.
    others: Vec<Handle>,
}

impl Handoff {
    /// Checks their number and takes them.
    pub(crate) fn new(mut handles: Vec<Handle>) -> Outcome<Self> {
        if handles.len() != COUNT {
            let line = Line::new()
                .text("read ")
                .number(i64::try_from(handles.len()).unwrap_or(0));
            return Err(Failure {
                line: line.text(" handles instead of 15"),
            });
        }
        let mut take = |index: usize| handles.get_mut(index).map_or(Handle::from_raw(0), take_out);
        let (job, resource, zbi, vdso) = (
            take(ROOT_JOB),
            take(ROOT_RESOURCE),
            take(ZBI),
            take(FIRST_VDSO),
        );
        Ok(Self {
            job: job.into(),
            resource: resource.into(),
            zbi: zbi.into(),
            vdso: vdso.into(),
            others: handles,
        })
    }

    pub(crate) const fn job(&self) -> &Job {
        &self.job
    }

    pub(crate) const fn root_resource(&self) -> &Resource {
        &self.resource
    }

    pub(crate) const fn zbi(&self) -> &Vmo {
        &self.zbi
    }

    pub(crate) const fn vdso(&self) -> &Vmo {
        &self.vdso
    }

    /// Everything the program gets, with tags: the kernel's places in order, its own process and VMAR in the first two,
    /// its thread and BOOTFS behind.
    pub(crate) fn take_message(
        &mut self,
        process: Handle,
        root_vmar: Handle,
        thread: Handle,
        bootfs: Handle,
    ) -> Outcome<(Vec<u32>, Vec<Handle>)> {
        let mut handles = mem::take(&mut self.others);
        let none = || Handle::from_raw(0);
        let mut put = |index: usize, handle: Handle| {
            if let Some(place) = handles.get_mut(index) {
                *place = handle;
            }
        };
        put(PROCESS, process);
        put(ROOT_VMAR, root_vmar);
        put(ROOT_JOB, mem::replace(&mut self.job, none().into()).into());
        put(
            ROOT_RESOURCE,
            mem::replace(&mut self.resource, none().into()).into(),
        );
        put(ZBI, mem::replace(&mut self.zbi, none().into()).into());
        put(
            FIRST_VDSO,
            mem::replace(&mut self.vdso, none().into()).into(),
        );
        handles.push(thread);
        handles.push(bootfs);
        for (index, handle) in handles.iter().enumerate() {
            handle
                .get_info::<HandleBasicInfo>(InfoTopic::HandleBasic)
                .map_err(|error| {
                    let line = Line::new()
                        .text("handle ")
                        .number(i64::try_from(index).unwrap_or(0));
                    Failure {
                        line: line.text(" for the program is bad: ").text(error.name()),
                    }
                })?;
        }
        let tags = (0..handles.len()).map(tag).collect();
        Ok((tags, handles))
    }
}

fn take_out(place: &mut Handle) -> Handle {
    mem::replace(place, Handle::from_raw(0))
}

/// The tag of the handle at this place of the program's message.
fn tag(index: usize) -> u32 {
    let number = |first: usize| u16::try_from(index - first).unwrap_or(0);
    match index {
        PROCESS => pa_hnd(PA_PROC_SELF, 0),
        ROOT_VMAR => pa_hnd(PA_VMAR_ROOT, 0),
        ROOT_JOB => pa_hnd(PA_JOB_DEFAULT, 0),
        ROOT_RESOURCE => pa_hnd(PA_RESOURCE, 0),
        ZBI => pa_hnd(PA_VMO_BOOTDATA, 0),
        FIRST_VDSO..FIRST_KERNEL_FILE => pa_hnd(PA_VMO_VDSO, number(FIRST_VDSO)),
        FIRST_KERNEL_FILE..COUNT => pa_hnd(PA_VMO_KERNEL_FILE, number(FIRST_KERNEL_FILE)),
        COUNT => pa_hnd(PA_THREAD_SELF, 0),
        _ => pa_hnd(PA_VMO_BOOTFS, 0),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tags_follow_the_table_of_the_bootstrap_message() {
        let tags: Vec<u32> = (0..17).map(tag).collect();
        assert_eq!(tags[..6], [0x01, 0x04, 0x03, 0x3f, 0x1a, 0x11]);
        assert_eq!(tags[6..9], [0x1_0011, 0x2_0011, 0x1c]);
        assert_eq!(tags[14..], [0x6_001c, 0x02, 0x1b]);
    }

    #[test]
    fn another_number_of_handles_is_refused() {
        let failure = Handoff::new((0..13).map(|_| Handle::from_raw(0)).collect()).unwrap_err();
        assert_eq!(
            failure.line.bytes(),
            b"userboot: read 13 handles instead of 15"
        );
    }
}
