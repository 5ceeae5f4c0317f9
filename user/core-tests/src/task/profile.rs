//! Scheduling profiles: made, refused, given to threads.

use libzx::{AsHandle, Event, Handle, Job, Rights, Thread, ZxResult};
use mini_process::Code;
use zerocopy::{Immutable, IntoBytes};
use zx_abi::info::{InfoTopic, ThreadInfo, ThreadState, RETCODE_SYSCALL_KILL};
use zx_abi::profile::{
    ProfileFlags, ProfileInfo, ProfileInfo2019, PRIORITY_DEFAULT, PRIORITY_HIGH, PRIORITY_HIGHEST,
    PRIORITY_LOW, PRIORITY_LOWEST,
};
use zx_abi::syscalls::SyscallId;
use zx_abi::ObjectType;

use super::subject::{counting, ends_with, is_counting, job, mini, own_thread, reaches, SAME};
use crate::check::{check, check_eq, fails, home_only, ok, skip, suite, Case, Outcome};
use crate::memory::{arg, call, Scratch, BAD_ADDRESSES};
use crate::world::{basic_info, Level, World};

suite! {
    "Profile":
    each_named_priority_is_fine,
    a_priority_below_the_lowest_is_refused,
    a_priority_above_the_highest_is_refused,
    it_says_what_it_is,
    options_are_refused_first,
    only_the_root_job_makes_them,
    the_right_on_the_root_job_is_needed,
    other_objects_are_refused,
    a_description_from_nowhere_is_refused,
    a_place_for_the_result_is_needed,
    no_flags_are_refused,
    unknown_flags_are_refused,
    a_description_of_zeros_is_refused,
    priority_and_deadline_exclude_each_other,
    a_deadline_with_room_is_fine,
    a_capacity_of_zero_is_refused,
    a_deadline_before_the_capacity_is_refused,
    a_period_before_the_deadline_is_refused,
    processors_are_accepted_and_shown,
    an_empty_set_of_processors_is_fine,
    priority_and_processors_go_together,
    a_running_thread_takes_one,
    the_own_thread_takes_one,
    a_later_one_replaces_an_earlier,
    a_suspended_thread_takes_one,
    an_unstarted_thread_takes_one,
    a_dead_thread_takes_none,
    the_options_of_taking_one_are_ignored,
    taking_one_checks_handles_in_order,
    taking_one_needs_both_rights,
    the_highest_goes_before_the_lowest,
    equals_share_the_processor,
}

/// The handle that userboot calls the root job.
fn root(world: &World) -> Result<&Job, Outcome> {
    match &world.job {
        Some(job) => Ok(job),
        None => skip!("no job"),
    }
}

fn create_from(
    job: &impl AsHandle,
    options: usize,
    info: &(impl IntoBytes + Immutable),
) -> ZxResult<Handle> {
    let mut page = Scratch::new()?;
    page.put(64, info);
    let args = [arg(job), options, page.address() + 64, page.address()];
    call(SyscallId::ProfileCreate, &args)?;
    Ok(Handle::from_raw(page.u32(0)))
}

fn with_params(flags: ProfileFlags, params: [i64; 3]) -> ProfileInfo {
    ProfileInfo {
        flags: flags.bits(),
        params,
        ..ProfileInfo::default()
    }
}

/// A profile of this priority, in the form that this kernel has.
fn priority(world: &World, priority: i32) -> Result<ZxResult<Handle>, Outcome> {
    let job = root(world)?;
    Ok(match world.level {
        Level::Home => {
            let params = [i64::from(priority.cast_unsigned()), 0, 0];
            create_from(job, 0, &with_params(ProfileFlags::PRIORITY, params))
        }
        Level::July2019 => {
            let info = ProfileInfo2019 {
                kind: 1,
                priority,
                ..ProfileInfo2019::default()
            };
            create_from(job, 0, &info)
        }
    })
}

fn deadline(job: &Job, params: [i64; 3]) -> ZxResult<Handle> {
    create_from(job, 0, &with_params(ProfileFlags::DEADLINE, params))
}

fn on_cpus(job: &Job, flags: ProfileFlags, mask: u64) -> ZxResult<Handle> {
    let mut info = with_params(
        flags | ProfileFlags::CPU_MASK,
        [i64::from(PRIORITY_DEFAULT), 0, 0],
    );
    info.cpu_affinity_mask[0] = mask;
    create_from(job, 0, &info)
}

fn set(thread: &impl AsHandle, profile: &impl AsHandle) -> ZxResult {
    call(SyscallId::ObjectSetProfile, &[arg(thread), arg(profile), 0])
}

/// Gives a thread this priority.
pub(super) fn give_priority(world: &World, thread: &Thread, level: i32) -> Case {
    let profile = ok!(priority(world, level)?);
    ok!(set(thread, &profile));
    Ok(())
}

fn each_named_priority_is_fine(world: &World) -> Case {
    for each in [
        PRIORITY_LOWEST,
        PRIORITY_LOW,
        PRIORITY_DEFAULT,
        PRIORITY_HIGH,
        PRIORITY_HIGHEST,
    ] {
        ok!(priority(world, each)?);
    }
    Ok(())
}

fn a_priority_below_the_lowest_is_refused(world: &World) -> Case {
    for each in [-1, i32::MIN] {
        fails!(priority(world, each)?, InvalidArgs);
    }
    Ok(())
}

fn a_priority_above_the_highest_is_refused(world: &World) -> Case {
    for each in [PRIORITY_HIGHEST + 1, i32::MAX] {
        fails!(priority(world, each)?, InvalidArgs);
    }
    Ok(())
}

fn it_says_what_it_is(world: &World) -> Case {
    let profile = ok!(priority(world, PRIORITY_DEFAULT)?);
    let info = ok!(basic_info(&profile));
    check_eq!(info.kind, ObjectType::Profile.raw());
    check_eq!(info.rights, Rights::default_for(ObjectType::Profile));
    check_eq!((info.related_koid, info.props), (0, 0));
    ok!(profile.duplicate_handle(SAME));
    Ok(())
}

fn options_are_refused_first(world: &World) -> Case {
    let page = ok!(Scratch::new());
    for options in [1, 1 << 31] {
        let args = [0, options, page.address(), page.address()];
        fails!(call(SyscallId::ProfileCreate, &args), InvalidArgs);
    }
    let args = [0, 0, page.address(), page.address()];
    fails!(call(SyscallId::ProfileCreate, &args), BadHandle);
    // The handle is looked at before the description.
    fails!(
        call(SyscallId::ProfileCreate, &[0, 0, 0, page.address()]),
        BadHandle
    );
    let args = [arg(root(world)?), 1, page.address(), page.address()];
    fails!(call(SyscallId::ProfileCreate, &args), InvalidArgs);
    Ok(())
}

fn only_the_root_job_makes_them(world: &World) -> Case {
    let info = with_params(ProfileFlags::PRIORITY, [16, 0, 0]);
    fails!(create_from(&job(world)?, 0, &info), AccessDenied);
    Ok(())
}

fn the_right_on_the_root_job_is_needed(world: &World) -> Case {
    let all = Rights::default_for(ObjectType::Job);
    let weak = ok!(root(world)?.duplicate(all.difference(Rights::MANAGE_PROCESS)));
    let info = with_params(ProfileFlags::PRIORITY, [16, 0, 0]);
    fails!(create_from(&weak, 0, &info), AccessDenied);
    Ok(())
}

fn other_objects_are_refused(_: &World) -> Case {
    let info = with_params(ProfileFlags::PRIORITY, [16, 0, 0]);
    fails!(create_from(&ok!(Event::create()), 0, &info), WrongType);
    fails!(create_from(&libzx::own_process(), 0, &info), WrongType);
    Ok(())
}

fn a_description_from_nowhere_is_refused(world: &World) -> Case {
    let page = ok!(Scratch::new());
    for bad in BAD_ADDRESSES {
        let args = [arg(root(world)?), 0, bad, page.address()];
        fails!(call(SyscallId::ProfileCreate, &args), InvalidArgs);
    }
    Ok(())
}

fn a_place_for_the_result_is_needed(world: &World) -> Case {
    let mut page = ok!(Scratch::new());
    match world.level {
        Level::Home => page.put(0, &with_params(ProfileFlags::PRIORITY, [16, 0, 0])),
        Level::July2019 => page.put(
            0,
            &ProfileInfo2019 {
                kind: 1,
                ..ProfileInfo2019::default()
            },
        ),
    }
    for bad in BAD_ADDRESSES {
        let args = [arg(root(world)?), 0, page.address(), bad];
        fails!(call(SyscallId::ProfileCreate, &args), InvalidArgs);
    }
    Ok(())
}

fn no_flags_are_refused(world: &World) -> Case {
    home_only!(world);
    let info = with_params(ProfileFlags::empty(), [16, 0, 0]);
    fails!(create_from(root(world)?, 0, &info), InvalidArgs);
    Ok(())
}

fn unknown_flags_are_refused(world: &World) -> Case {
    home_only!(world);
    let mut info = with_params(ProfileFlags::PRIORITY, [16, 0, 0]);
    for unknown in [8, 1 << 31] {
        info.flags = ProfileFlags::PRIORITY.bits() | unknown;
        fails!(create_from(root(world)?, 0, &info), InvalidArgs);
    }
    Ok(())
}

fn a_description_of_zeros_is_refused(world: &World) -> Case {
    let refused = create_from(root(world)?, 0, &ProfileInfo::default());
    match world.level {
        Level::Home => fails!(refused, InvalidArgs),
        // There it has a type, and 0 is none that is known.
        Level::July2019 => fails!(refused, NotSupported),
    }
    Ok(())
}

fn priority_and_deadline_exclude_each_other(world: &World) -> Case {
    home_only!(world);
    let both = ProfileFlags::PRIORITY | ProfileFlags::DEADLINE;
    let info = with_params(both, [1_000_000, 10_000_000, 10_000_000]);
    fails!(create_from(root(world)?, 0, &info), InvalidArgs);
    Ok(())
}

fn a_deadline_with_room_is_fine(world: &World) -> Case {
    home_only!(world);
    let job = root(world)?;
    ok!(deadline(job, [2_000_000, 10_000_000, 10_000_000]));
    ok!(deadline(job, [2_000_000, 5_000_000, 10_000_000]));
    ok!(deadline(job, [5_000_000, 5_000_000, 5_000_000]));
    Ok(())
}

fn a_capacity_of_zero_is_refused(world: &World) -> Case {
    home_only!(world);
    let job = root(world)?;
    fails!(deadline(job, [0, 10_000_000, 10_000_000]), InvalidArgs);
    fails!(deadline(job, [-1, 10_000_000, 10_000_000]), InvalidArgs);
    Ok(())
}

fn a_deadline_before_the_capacity_is_refused(world: &World) -> Case {
    home_only!(world);
    fails!(
        deadline(root(world)?, [5_000_000, 4_999_999, 10_000_000]),
        InvalidArgs
    );
    Ok(())
}

fn a_period_before_the_deadline_is_refused(world: &World) -> Case {
    home_only!(world);
    fails!(
        deadline(root(world)?, [1_000_000, 10_000_000, 9_999_999]),
        InvalidArgs
    );
    Ok(())
}

fn affinity(thread: &Thread) -> ZxResult<u64> {
    let info: ThreadInfo = thread.get_info(InfoTopic::Thread)?;
    Ok(info.cpu_affinity_mask[0])
}

fn processors_are_accepted_and_shown(world: &World) -> Case {
    home_only!(world);
    let mini = counting(world)?;
    let one = ok!(on_cpus(root(world)?, ProfileFlags::empty(), 1));
    ok!(set(&mini.thread, &one));
    check_eq!(ok!(affinity(&mini.thread)), 1);
    check!(is_counting(&mini)?);
    Ok(())
}

fn an_empty_set_of_processors_is_fine(world: &World) -> Case {
    home_only!(world);
    let mini = counting(world)?;
    ok!(set(
        &mini.thread,
        &ok!(on_cpus(root(world)?, ProfileFlags::empty(), 0))
    ));
    check!(is_counting(&mini)?);
    Ok(())
}

fn priority_and_processors_go_together(world: &World) -> Case {
    home_only!(world);
    let mini = counting(world)?;
    let both = ok!(on_cpus(root(world)?, ProfileFlags::PRIORITY, 1));
    ok!(set(&mini.thread, &both));
    check_eq!(ok!(affinity(&mini.thread)), 1);
    Ok(())
}

fn a_running_thread_takes_one(world: &World) -> Case {
    let mini = counting(world)?;
    for each in [PRIORITY_LOW, PRIORITY_LOWEST, PRIORITY_DEFAULT] {
        ok!(set(&mini.thread, &ok!(priority(world, each)?)));
        check!(is_counting(&mini)?);
    }
    Ok(())
}

fn the_own_thread_takes_one(world: &World) -> Case {
    let own = ok!(own_thread());
    ok!(set(&own, &ok!(priority(world, PRIORITY_HIGH)?)));
    ok!(set(&own, &ok!(priority(world, PRIORITY_DEFAULT)?)));
    Ok(())
}

fn a_later_one_replaces_an_earlier(world: &World) -> Case {
    home_only!(world);
    let mini = counting(world)?;
    let job = root(world)?;
    ok!(set(
        &mini.thread,
        &ok!(deadline(job, [1_000_000, 10_000_000, 10_000_000]))
    ));
    check!(is_counting(&mini)?);
    ok!(set(&mini.thread, &ok!(priority(world, PRIORITY_LOW)?)));
    check!(is_counting(&mini)?);
    Ok(())
}

fn a_suspended_thread_takes_one(world: &World) -> Case {
    let (mini, token) = super::subject::standing(world)?;
    ok!(set(&mini.thread, &ok!(priority(world, PRIORITY_LOW)?)));
    drop(token);
    reaches(&mini.thread, ThreadState::Running)
}

fn an_unstarted_thread_takes_one(world: &World) -> Case {
    let mini = mini(world, &Code::new())?;
    ok!(set(&mini.thread, &ok!(priority(world, PRIORITY_LOW)?)));
    Ok(())
}

fn a_dead_thread_takes_none(world: &World) -> Case {
    let mini = counting(world)?;
    ok!(mini.process.kill());
    ends_with(&mini.process, RETCODE_SYSCALL_KILL)?;
    reaches(&mini.thread, ThreadState::Dead)?;
    fails!(
        set(&mini.thread, &ok!(priority(world, PRIORITY_LOW)?)),
        BadState
    );
    Ok(())
}

fn the_options_of_taking_one_are_ignored(world: &World) -> Case {
    let mini = counting(world)?;
    let profile = ok!(priority(world, PRIORITY_DEFAULT)?);
    for options in [0, 1, u32::MAX as usize] {
        let args = [arg(&mini.thread), arg(&profile), options];
        ok!(call(SyscallId::ObjectSetProfile, &args));
    }
    Ok(())
}

fn taking_one_checks_handles_in_order(world: &World) -> Case {
    let mini = counting(world)?;
    let profile = ok!(priority(world, PRIORITY_DEFAULT)?);
    let event = ok!(Event::create());
    let nothing = libzx::Unowned(0);
    fails!(set(&nothing, &nothing), BadHandle);
    fails!(set(&mini.thread, &nothing), BadHandle);
    fails!(set(&mini.process, &nothing), WrongType);
    fails!(set(&mini.process, &profile), WrongType);
    fails!(set(&mini.thread, &event), WrongType);
    fails!(set(&mini.thread, &mini.thread), WrongType);
    Ok(())
}

fn taking_one_needs_both_rights(world: &World) -> Case {
    let mini = counting(world)?;
    let profile = ok!(priority(world, PRIORITY_DEFAULT)?);
    let weak = ok!(mini.thread.duplicate(Rights::BASIC | Rights::IO));
    fails!(set(&weak, &profile), AccessDenied);
    let plain = ok!(profile.duplicate_handle(Rights::DUPLICATE | Rights::INSPECT));
    fails!(set(&mini.thread, &plain), AccessDenied);
    let (thread, profile) = (
        ok!(mini.thread.duplicate(Rights::MANAGE_THREAD)),
        ok!(profile.duplicate_handle(Rights::APPLY_PROFILE)),
    );
    ok!(set(&thread, &profile));
    Ok(())
}

fn the_highest_goes_before_the_lowest(world: &World) -> Case {
    // Two processes count; for a while one has a better priority than the other.
    let (better, worse) = (counting(world)?, counting(world)?);
    // Both are worse than this thread's, which must go on to see it.
    ok!(set(&better.thread, &ok!(priority(world, PRIORITY_LOW)?)));
    ok!(set(&worse.thread, &ok!(priority(world, PRIORITY_LOWEST)?)));
    let before = [ok!(better.word(0)), ok!(worse.word(0))];
    crate::world::sleep_ms(100);
    let better = ok!(better.word(0)) - before[0];
    let worse = ok!(worse.word(0)) - before[1];
    if better < 2 * worse {
        crate::check::fail!("the better one counted {better}, the worse one {worse}");
    }
    Ok(())
}

fn equals_share_the_processor(world: &World) -> Case {
    let both = [counting(world)?, counting(world)?];
    let mut before = [0; 2];
    for (count, mini) in before.iter_mut().zip(&both) {
        *count = ok!(mini.word(0));
    }
    crate::world::sleep_ms(200);
    let mut counted = [0; 2];
    for ((counted, mini), before) in counted.iter_mut().zip(&both).zip(before) {
        *counted = ok!(mini.word(0)) - before;
    }
    let (less, more) = (counted[0].min(counted[1]), counted[0].max(counted[1]));
    if less * 4 < more {
        crate::check::fail!("one counted {more}, the other {less}");
    }
    Ok(())
}
