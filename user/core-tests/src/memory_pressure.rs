//! What happens when memory runs out: events show it, and a job that may be killed is.

use libzx::{time, AsHandle, Event, Handle, Job, Signals, ZxResult};
use zx_abi::info::{InfoTopic, JobInfo, RETCODE_OOM_KILL};
use zx_abi::property::Property;
use zx_abi::syscalls::SyscallId;

use crate::check::{check, check_eq, fails, home_only, needs, ok, skip, suite, Case, Outcome};
use crate::child::Mode;
use crate::memory::{arg, call, Scratch};
use crate::world::{basic_info, in_ms, World};

suite! {
    "MemoryPressure":
    a_job_that_may_be_killed_is_killed_when_memory_runs_out,
}

const OUT_OF_MEMORY: usize = 1;
const NORMAL: usize = 4;

/// The root job, at a level at which memory's events exist.
fn root_job(world: &World) -> Result<&Job, Outcome> {
    home_only!(world);
    needs!(SystemGetEvent);
    let Some(job) = &world.job else {
        skip!("no job");
    };
    if ok!(basic_info(job)).related_koid != 0 {
        skip!("the job passed on is not the root job");
    }
    Ok(job)
}

fn event(job: &Job, kind: usize) -> ZxResult<Event> {
    let page = Scratch::new()?;
    call(SyscallId::SystemGetEvent, &[arg(job), kind, page.address()])?;
    Ok(Event::from(Handle::from_raw(page.u32(0))))
}

fn expendable(parent: &Job) -> ZxResult<Job> {
    let job = parent.create_child()?;
    job.set_property(Property::JobKillOnOom, &1_u64.to_le_bytes())?;
    Ok(job)
}

/// Takes all the memory there is, in a process of a job that may be killed for it.
fn a_job_that_may_be_killed_is_killed_when_memory_runs_out(world: &World) -> Case {
    let root = root_job(world)?;
    let (run_out, normal) = (ok!(event(root, OUT_OF_MEMORY)), ok!(event(root, NORMAL)));
    if normal.wait_one(Signals::SIGNALED, 0).is_err() {
        skip!("memory is not at its normal level");
    }
    let parent = ok!(root.create_child());
    let (spared, job) = (ok!(parent.create_child()), ok!(expendable(&parent)));
    let below = ok!(expendable(&job));
    let hog = ok!(world.start_child(&below, Mode::HogMemory));
    ok!(run_out.wait_one(Signals::SIGNALED, in_ms(60_000)));
    let killed_at = time::now();
    fails!(normal.wait_one(Signals::SIGNALED, 0), TimedOut);
    ok!(hog.wait_one(Signals::PROCESS_TERMINATED, in_ms(10_000)));
    check_eq!(ok!(hog.info()).return_code, RETCODE_OOM_KILL);
    // The higher one of the two went, and took the other with it; what may not be killed stays.
    let info = |job: &Job| job.get_info::<JobInfo>(InfoTopic::Job);
    check_eq!(ok!(info(&job)).return_code, RETCODE_OOM_KILL);
    check_eq!(ok!(info(&job)).exited, 1);
    check_eq!(ok!(info(&below)).return_code, RETCODE_OOM_KILL);
    check_eq!(ok!(info(&spared)).exited, 0);
    // Good news must last before it is told.
    ok!(normal.wait_one(Signals::SIGNALED, in_ms(30_000)));
    check!(time::now() - killed_at >= 9_000_000_000);
    fails!(run_out.wait_one(Signals::SIGNALED, 0), TimedOut);
    Ok(())
}
