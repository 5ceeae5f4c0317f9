//! How job policies are set, combined and handed down.

use alloc::vec::Vec;

use libzx::{AsHandle, Job, Process, Rights, Unowned, ZxResult};
use mini_process::{Code, MiniProcess};
use zerocopy::{Immutable, IntoBytes};
use zx_abi::info::RETCODE_POLICY_KILL;
use zx_abi::policy::{
    PolicyAction, PolicyBasicV1, PolicyBasicV2, PolicyCondition, PolicyMode, PolicyOverride,
    PolicyTimerSlack, PolicyTopic,
};
use zx_abi::syscalls::SyscallId;

use super::policy_condition::{asking, set_basic, Condition};
use super::subject::{ends_with, job};
use crate::check::{check_eq, fails, home_only, needs, ok, suite, Case};
use crate::memory::{arg, call, Scratch, BAD_ADDRESSES};
use crate::world::World;

suite! {
    "PolicyRule":
    a_child_job_inherits,
    a_grandchild_inherits,
    a_relative_setting_leaves_what_the_parent_set,
    an_absolute_setting_against_the_parents_is_refused,
    the_parents_own_setting_may_be_repeated,
    anything_new_covers_each_creation,
    anything_new_leaves_what_is_named,
    a_process_keeps_the_policy_of_its_birth,
    the_policy_asked_is_that_of_the_caller,
    an_entry_may_be_overridden_if_it_says_so,
    an_entry_may_not_be_overridden_if_it_says_so,
    an_overridden_entry_stays_open_below,
    a_bad_override_is_refused,
    a_bad_entry_changes_nothing,
    every_condition_may_be_set_at_once,
    arguments_are_checked_before_the_handle,
    the_handle_is_checked,
    a_job_with_children_is_left_alone,
    too_many_entries_are_refused,
    timer_slack_is_set_relatively_only,
    timer_slack_is_one_entry,
    timer_slack_must_make_sense,
    timer_slack_needs_a_job_without_children,
    timer_slack_may_be_set_again_and_below,
    timer_slack_checks_its_handle,
}

use PolicyAction::{Allow, Deny, Kill};
use PolicyCondition::{NewAny, NewEvent, NewPort};

/// Making an object whose handle goes to the first word.
const fn making(condition: PolicyCondition, call: SyscallId) -> Condition {
    Condition {
        condition,
        call,
        args: &[Some(0), Some(mini_process::DATA as u64)],
        goes_on: 0,
        denied: DENIED,
    }
}

const MAKES_EVENT: Condition = making(NewEvent, SyscallId::EventCreate);
const MAKES_PORT: Condition = making(NewPort, SyscallId::PortCreate);

const DENIED: i64 = -30;

/// What a process in `job` ends with that makes the call.
fn outcome(world: &World, asked: &Condition, job: &Job, expected: i64) -> Case {
    let mini = asking(world, job, asked)?;
    ok!(mini.start());
    ends_with(&mini.process, expected)
}

fn set<T: IntoBytes + Immutable>(
    job: &impl AsHandle,
    mode: PolicyMode,
    topic: PolicyTopic,
    entries: &[T],
) -> ZxResult {
    let mut page = Scratch::new()?;
    for (index, entry) in entries.iter().enumerate() {
        page.put(index * size_of::<T>(), entry);
    }
    let args = [
        arg(job),
        mode.raw() as usize,
        topic.raw() as usize,
        page.address(),
        entries.len(),
    ];
    call(SyscallId::JobSetPolicy, &args)
}

fn v1(condition: PolicyCondition, action: PolicyAction) -> PolicyBasicV1 {
    PolicyBasicV1 {
        condition: condition.raw(),
        policy: action.raw(),
    }
}

fn v2(condition: PolicyCondition, action: PolicyAction, may: PolicyOverride) -> PolicyBasicV2 {
    PolicyBasicV2 {
        condition: condition.raw(),
        action: action.raw(),
        flags: may.raw(),
    }
}

fn relative(job: &Job, entries: &[PolicyBasicV1]) -> ZxResult {
    set(job, PolicyMode::Relative, PolicyTopic::Basic, entries)
}

/// Says what becomes of processes of a job that make an event, and whether jobs below may say otherwise.
fn rule_events(job: &Job, action: PolicyAction, others: PolicyOverride) -> ZxResult {
    absolute_v2(job, &[v2(NewEvent, action, others)])
}

fn absolute_v2(job: &Job, entries: &[PolicyBasicV2]) -> ZxResult {
    set(job, PolicyMode::Absolute, PolicyTopic::BasicV2, entries)
}

fn a_child_job_inherits(world: &World) -> Case {
    needs!(JobSetPolicy);
    let parent = job(world)?;
    ok!(set_basic(&parent, &[(NewEvent, Deny)]));
    let child = ok!(parent.create_child());
    outcome(world, &MAKES_EVENT, &child, DENIED)?;
    outcome(world, &MAKES_PORT, &child, 0)
}

fn a_grandchild_inherits(world: &World) -> Case {
    needs!(JobSetPolicy);
    let top = job(world)?;
    ok!(set_basic(&top, &[(NewEvent, Deny)]));
    let middle = ok!(top.create_child());
    ok!(set_basic(&middle, &[(NewPort, Kill)]));
    let low = ok!(middle.create_child());
    outcome(world, &MAKES_EVENT, &low, DENIED)?;
    outcome(world, &MAKES_PORT, &low, RETCODE_POLICY_KILL)
}

fn a_relative_setting_leaves_what_the_parent_set(world: &World) -> Case {
    needs!(JobSetPolicy);
    let parent = job(world)?;
    ok!(set_basic(&parent, &[(NewEvent, Deny)]));
    let child = ok!(parent.create_child());
    ok!(relative(&child, &[v1(NewEvent, Allow), v1(NewPort, Deny)]));
    outcome(world, &MAKES_EVENT, &child, DENIED)?;
    outcome(world, &MAKES_PORT, &child, DENIED)
}

fn an_absolute_setting_against_the_parents_is_refused(world: &World) -> Case {
    needs!(JobSetPolicy);
    let parent = job(world)?;
    ok!(set_basic(&parent, &[(NewEvent, Deny)]));
    let child = ok!(parent.create_child());
    let conflict = set_basic(&child, &[(NewPort, Deny), (NewEvent, Allow)]);
    fails!(conflict, AlreadyExists);
    // Nothing of it was kept.
    outcome(world, &MAKES_PORT, &child, 0)
}

fn the_parents_own_setting_may_be_repeated(world: &World) -> Case {
    needs!(JobSetPolicy);
    let parent = job(world)?;
    ok!(set_basic(&parent, &[(NewEvent, Deny)]));
    let child = ok!(parent.create_child());
    ok!(set_basic(&child, &[(NewEvent, Deny)]));
    outcome(world, &MAKES_EVENT, &child, DENIED)
}

fn anything_new_covers_each_creation(world: &World) -> Case {
    needs!(JobSetPolicy);
    let job = job(world)?;
    ok!(set_basic(&job, &[(NewAny, Deny)]));
    outcome(world, &MAKES_EVENT, &job, DENIED)?;
    outcome(world, &MAKES_PORT, &job, DENIED)
}

fn anything_new_leaves_what_is_named(world: &World) -> Case {
    needs!(JobSetPolicy);
    home_only!(world);
    let job = job(world)?;
    ok!(set_basic(&job, &[(NewEvent, Allow), (NewAny, Deny)]));
    outcome(world, &MAKES_EVENT, &job, 0)?;
    outcome(world, &MAKES_PORT, &job, DENIED)
}

fn a_process_keeps_the_policy_of_its_birth(world: &World) -> Case {
    needs!(JobSetPolicy);
    let job = job(world)?;
    let before = asking(world, &job, &MAKES_EVENT)?;
    fails!(set_basic(&job, &[(NewEvent, Deny)]), BadState);
    ok!(before.start());
    ends_with(&before.process, 0)?;
    drop(before);
    ok!(job.wait_one(libzx::Signals::JOB_NO_PROCESSES, crate::world::soon()));
    ok!(set_basic(&job, &[(NewEvent, Deny)]));
    outcome(world, &MAKES_EVENT, &job, DENIED)
}

fn the_policy_asked_is_that_of_the_caller(world: &World) -> Case {
    needs!(JobSetPolicy);
    // This program may make processes, also in a job in which nobody may.
    let job = job(world)?;
    ok!(set_basic(&job, &[(PolicyCondition::NewProcess, Deny)]));
    ok!(Process::create(&job, "made from outside"));
    Ok(())
}

fn an_entry_may_be_overridden_if_it_says_so(world: &World) -> Case {
    needs!(JobSetPolicy);
    home_only!(world);
    let parent = job(world)?;
    ok!(rule_events(&parent, Deny, PolicyOverride::Allow));
    let child = ok!(parent.create_child());
    ok!(rule_events(&child, Allow, PolicyOverride::Deny));
    outcome(world, &MAKES_EVENT, &child, 0)?;
    // The parent's own processes are denied as before.
    outcome(world, &MAKES_EVENT, &parent, DENIED)
}

fn an_entry_may_not_be_overridden_if_it_says_so(world: &World) -> Case {
    needs!(JobSetPolicy);
    home_only!(world);
    let parent = job(world)?;
    ok!(rule_events(&parent, Deny, PolicyOverride::Deny));
    let child = ok!(parent.create_child());
    let refused = rule_events(&child, Allow, PolicyOverride::Deny);
    fails!(refused, AlreadyExists);
    outcome(world, &MAKES_EVENT, &child, DENIED)
}

fn an_overridden_entry_stays_open_below(world: &World) -> Case {
    needs!(JobSetPolicy);
    home_only!(world);
    let top = job(world)?;
    ok!(rule_events(&top, Deny, PolicyOverride::Allow));
    let middle = ok!(top.create_child());
    ok!(rule_events(&middle, Allow, PolicyOverride::Allow));
    let low = ok!(middle.create_child());
    ok!(rule_events(&low, Kill, PolicyOverride::Deny));
    outcome(world, &MAKES_EVENT, &low, RETCODE_POLICY_KILL)
}

fn a_bad_override_is_refused(world: &World) -> Case {
    needs!(JobSetPolicy);
    home_only!(world);
    let job = job(world)?;
    let mut entry = v2(NewEvent, Deny, PolicyOverride::Deny);
    entry.flags = 2;
    fails!(absolute_v2(&job, &[entry]), InvalidArgs);
    outcome(world, &MAKES_EVENT, &job, 0)
}

fn a_bad_entry_changes_nothing(world: &World) -> Case {
    needs!(JobSetPolicy);
    let job = job(world)?;
    let mut unknown_action = v1(NewPort, Deny);
    unknown_action.policy = 5;
    let entries = [v1(NewEvent, Deny), unknown_action];
    fails!(relative(&job, &entries), NotSupported);
    let mut unknown_condition = v1(NewPort, Deny);
    unknown_condition.condition = 99;
    let entries = [v1(NewEvent, Deny), unknown_condition];
    fails!(relative(&job, &entries), InvalidArgs);
    outcome(world, &MAKES_EVENT, &job, 0)
}

fn every_condition_may_be_set_at_once(world: &World) -> Case {
    needs!(JobSetPolicy);
    let job = job(world)?;
    let all: Vec<_> = PolicyCondition::ALL
        .iter()
        .map(|&condition| (condition, Allow))
        .collect();
    ok!(set_basic(&job, &all));
    outcome(world, &MAKES_EVENT, &job, 0)
}

fn arguments_are_checked_before_the_handle(_: &World) -> Case {
    needs!(JobSetPolicy);
    let mut page = ok!(Scratch::new());
    page.put(0, &v1(NewEvent, Deny));
    let at = page.address();
    let set = |options: usize, topic: usize, entries: usize, count: usize| {
        call(
            SyscallId::JobSetPolicy,
            &[0, options, topic, entries, count],
        )
    };
    fails!(set(2, 0, at, 1), InvalidArgs);
    fails!(set(0, 2, at, 1), InvalidArgs);
    fails!(set(0, 0, 0, 1), InvalidArgs);
    fails!(set(0, 0, at, 0), InvalidArgs);
    for bad in BAD_ADDRESSES {
        fails!(set(0, 0, bad, 1), InvalidArgs);
    }
    fails!(set(0, 0, at, 1), BadHandle);
    Ok(())
}

fn the_handle_is_checked(world: &World) -> Case {
    needs!(JobSetPolicy);
    let entry = [v1(NewEvent, Deny)];
    let basic = |job: &dyn AsHandle| {
        let mut page = Scratch::new()?;
        page.put(0, &entry[0]);
        call(
            SyscallId::JobSetPolicy,
            &[job.raw() as usize, 0, 0, page.address(), 1],
        )
    };
    fails!(basic(&Unowned(0)), BadHandle);
    fails!(basic(&ok!(libzx::Event::create())), WrongType);
    let job = job(world)?;
    let all = Rights::default_for(zx_abi::ObjectType::Job);
    let weak = ok!(job.duplicate(all.difference(Rights::SET_POLICY)));
    fails!(basic(&weak), AccessDenied);
    ok!(basic(&ok!(job.duplicate(Rights::SET_POLICY))));
    Ok(())
}

fn a_job_with_children_is_left_alone(world: &World) -> Case {
    needs!(JobSetPolicy);
    let job = job(world)?;
    let child = ok!(job.create_child());
    fails!(set_basic(&job, &[(NewEvent, Deny)]), BadState);
    drop(child);
    ok!(set_basic(&job, &[(NewEvent, Deny)]));
    let mini = ok!(MiniProcess::new(&job, &Code::new()));
    fails!(set_basic(&job, &[(NewPort, Deny)]), BadState);
    drop(mini);
    Ok(())
}

fn too_many_entries_are_refused(world: &World) -> Case {
    needs!(JobSetPolicy);
    let job = job(world)?;
    fails!(relative(&job, &[v1(NewEvent, Deny); 16]), OutOfRange);
    ok!(relative(&job, &[v1(NewEvent, Deny); 15]));
    outcome(world, &MAKES_EVENT, &job, DENIED)
}

fn slack(min_slack: i64, default_mode: u32) -> PolicyTimerSlack {
    PolicyTimerSlack {
        min_slack,
        default_mode,
        ..PolicyTimerSlack::default()
    }
}

fn set_slack(job: &impl AsHandle, entries: &[PolicyTimerSlack]) -> ZxResult {
    set(job, PolicyMode::Relative, PolicyTopic::TimerSlack, entries)
}

fn timer_slack_is_set_relatively_only(world: &World) -> Case {
    needs!(JobSetPolicy);
    let job = job(world)?;
    let absolute = set(
        &job,
        PolicyMode::Absolute,
        PolicyTopic::TimerSlack,
        &[slack(0, 0)],
    );
    fails!(absolute, InvalidArgs);
    Ok(())
}

fn timer_slack_is_one_entry(world: &World) -> Case {
    needs!(JobSetPolicy);
    let job = job(world)?;
    fails!(set_slack(&job, &[]), InvalidArgs);
    fails!(set_slack(&job, &[slack(0, 0); 2]), InvalidArgs);
    let null = [arg(&job), 0, 1, 0, 1];
    fails!(call(SyscallId::JobSetPolicy, &null), InvalidArgs);
    Ok(())
}

fn timer_slack_must_make_sense(world: &World) -> Case {
    needs!(JobSetPolicy);
    let job = job(world)?;
    fails!(set_slack(&job, &[slack(-1, 0)]), InvalidArgs);
    fails!(set_slack(&job, &[slack(i64::MIN, 0)]), InvalidArgs);
    fails!(set_slack(&job, &[slack(0, 3)]), InvalidArgs);
    for mode in 0..3 {
        ok!(set_slack(&job, &[slack(1000, mode)]));
    }
    Ok(())
}

fn timer_slack_needs_a_job_without_children(world: &World) -> Case {
    needs!(JobSetPolicy);
    let job = job(world)?;
    let child = ok!(job.create_child());
    fails!(set_slack(&job, &[slack(1, 0)]), BadState);
    drop(child);
    ok!(set_slack(&job, &[slack(1, 0)]));
    Ok(())
}

fn timer_slack_may_be_set_again_and_below(world: &World) -> Case {
    needs!(JobSetPolicy);
    let parent = job(world)?;
    ok!(set_slack(&parent, &[slack(2_000_000, 0)]));
    // Less than before is accepted and changes nothing.
    ok!(set_slack(&parent, &[slack(0, 0)]));
    let child = ok!(parent.create_child());
    ok!(set_slack(&child, &[slack(i64::MAX, 2)]));
    let process = ok!(Process::create(&child, "slack"));
    check_eq!(ok!(process.0.info()).started, 0);
    Ok(())
}

fn timer_slack_checks_its_handle(world: &World) -> Case {
    needs!(JobSetPolicy);
    fails!(set_slack(&Unowned(0), &[slack(0, 0)]), BadHandle);
    fails!(
        set_slack(&ok!(libzx::Event::create()), &[slack(0, 0)]),
        WrongType
    );
    let weak = ok!(job(world)?.duplicate(Rights::BASIC));
    fails!(set_slack(&weak, &[slack(0, 0)]), AccessDenied);
    // Values are looked at after the handle.
    fails!(set_slack(&weak, &[slack(-1, 0)]), AccessDenied);
    Ok(())
}
