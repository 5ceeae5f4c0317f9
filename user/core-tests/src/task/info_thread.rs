//! What threads tell: state, statistics, exceptions.

use libzx::{AsHandle, Channel, Rights};
use mini_process::{Code, MiniProcess};
use zx_abi::exception::{
    ExceptionChannelOptions, ExceptionHandler, ExceptionReport, ExceptionType,
};
use zx_abi::info::{
    HandleBasicInfo, HandleCountInfo, InfoTopic, TaskRuntimeInfo, ThreadInfo, ThreadState,
    ThreadStatsInfo, INVALID_CPU,
};
use zx_abi::ObjectType;

use super::info_form::{record_suite, Question, Subject};
use super::subject::{counting, mini, own_thread, reaches, standing, state, stop, SAME};
use crate::check::{check, check_eq, fails, home_only, ok, Case, Outcome};
use crate::world::{in_ms, sleep_ms, soon, Level, World};

/// A thread that has started.
fn thread(world: &World) -> Result<Subject, Outcome> {
    let (mini, token) = standing(world)?;
    Ok(Subject::new(
        ok!(mini.thread.duplicate(SAME)),
        (token, mini),
    ))
}

const OF_BASIC: Question = Question {
    topic: InfoTopic::HandleBasic,
    rights: Rights::empty(),
    subject: thread,
};
record_suite! { BASIC = "InfoHandleBasicOfThread", OF_BASIC: [each_of_its_rights_is_needed] [
    a_thread_names_its_process,
] }

const OF_COUNT: Question = Question {
    topic: InfoTopic::HandleCount,
    rights: Rights::INSPECT,
    subject: thread,
};
record_suite! { COUNT = "InfoHandleCountOfThread", OF_COUNT: [each_of_its_rights_is_needed] [
    every_handle_counts,
] }

const OF_STATE: Question = Question {
    topic: InfoTopic::Thread,
    rights: Rights::INSPECT,
    subject: thread,
};
record_suite! { STATE = "InfoThread", OF_STATE: [
    each_of_its_rights_is_needed, a_job_has_the_wrong_type, a_process_has_the_wrong_type, an_event_has_the_wrong_type,
] [
    one_may_ask_about_ones_own_thread, it_follows_the_thread_through_its_life, every_cpu_is_in_the_affinity,
    the_handler_of_an_exception_is_named,
] }

const OF_STATS: Question = Question {
    topic: InfoTopic::ThreadStats,
    rights: Rights::INSPECT,
    subject: thread,
};
record_suite! { STATS = "InfoThreadStats", OF_STATS: [
    each_of_its_rights_is_needed, a_job_has_the_wrong_type, a_process_has_the_wrong_type, an_event_has_the_wrong_type,
] [
    running_time_grows_only_while_it_runs, the_last_cpu_is_told_once_it_ran, a_dead_thread_has_no_statistics,
] }

const OF_RUNTIME: Question = Question {
    topic: InfoTopic::TaskRuntime,
    rights: Rights::INSPECT,
    subject: thread,
};
record_suite! { RUNTIME = "InfoTaskRuntimeOfThread", OF_RUNTIME: [
    each_of_its_rights_is_needed, an_event_has_the_wrong_type,
] [
    a_runtime_outlives_the_thread,
] }

const OF_REPORT: Question = Question {
    topic: InfoTopic::ThreadExceptionReport,
    rights: Rights::INSPECT,
    subject: report_subject,
};
record_suite! { REPORT = "InfoThreadExceptionReport", OF_REPORT: [
    each_of_its_rights_is_needed, a_job_has_the_wrong_type, a_process_has_the_wrong_type, an_event_has_the_wrong_type,
] [
    there_is_no_report_without_an_exception, a_report_tells_vector_and_type,
] }

fn report_subject(world: &World) -> Result<Subject, Outcome> {
    let (mini, exception) = faulted(world)?;
    Ok(Subject::new(
        ok!(mini.thread.duplicate(SAME)),
        (exception, mini),
    ))
}

/// A process whose thread stands in an exception for an undefined instruction.
fn faulted(world: &World) -> Result<(MiniProcess, (Channel, libzx::Exception)), Outcome> {
    let mut code = Code::new();
    code.undefined();
    let mini = mini(world, &code)?;
    let channel = ok!(Channel::of_exceptions(
        &mini.thread,
        ExceptionChannelOptions::empty()
    ));
    ok!(mini.start());
    let (_, exception) = ok!(channel.exception_by(soon()));
    Ok((mini, (channel, exception)))
}

fn a_thread_names_its_process(world: &World) -> Case {
    let mini = mini(world, &Code::new())?;
    let info: HandleBasicInfo = ok!(mini.thread.get_info(InfoTopic::HandleBasic));
    check_eq!(info.koid, ok!(mini.thread.koid()));
    check_eq!(info.related_koid, ok!(mini.process.koid()));
    check_eq!(info.kind, ObjectType::Thread.raw());
    check_eq!(info.rights, Rights::default_for(ObjectType::Thread));
    check_eq!(info.props, 1);
    Ok(())
}

fn every_handle_counts(world: &World) -> Case {
    let mini = mini(world, &Code::new())?;
    let count = || {
        mini.thread
            .get_info::<HandleCountInfo>(InfoTopic::HandleCount)
    };
    check_eq!(ok!(count()).handle_count, 1);
    let more = ok!(mini.thread.duplicate(SAME));
    check_eq!(ok!(count()).handle_count, 2);
    drop(more);
    check_eq!(ok!(count()).handle_count, 1);
    Ok(())
}

fn one_may_ask_about_ones_own_thread(_: &World) -> Case {
    check_eq!(ok!(state(&ok!(own_thread()))), Some(ThreadState::Running));
    Ok(())
}

fn it_follows_the_thread_through_its_life(world: &World) -> Case {
    let mut code = Code::new();
    code.wait_for(1);
    let end = code.here();
    code.increment(0).jump(end);
    let mini = mini(world, &code)?;
    check_eq!(ok!(state(&mini.thread)), Some(ThreadState::New));
    ok!(mini.start());
    check_eq!(ok!(state(&mini.thread)), Some(ThreadState::Running));
    let token = stop(&mini.thread)?;
    check_eq!(ok!(state(&mini.thread)), Some(ThreadState::Suspended));
    drop(token);
    reaches(&mini.thread, ThreadState::Running)?;
    ok!(mini.process.kill());
    reaches(&mini.thread, ThreadState::Dead)
}

fn every_cpu_is_in_the_affinity(world: &World) -> Case {
    home_only!(world);
    let (mini, _token) = standing(world)?;
    let info: ThreadInfo = ok!(mini.thread.get_info(InfoTopic::Thread));
    check!(info.cpu_affinity_mask[0] & 1 == 1);
    Ok(())
}

fn the_handler_of_an_exception_is_named(world: &World) -> Case {
    let (mini, held) = faulted(world)?;
    let handler = || -> libzx::ZxResult<u32> {
        let info: ThreadInfo = mini.thread.get_info(InfoTopic::Thread)?;
        Ok(info.wait_exception_channel_type)
    };
    check_eq!(ok!(handler()), ExceptionHandler::Thread.raw());
    check_eq!(
        ok!(state(&mini.thread)),
        Some(ThreadState::BlockedException)
    );
    drop(held);
    let (other, _token) = standing(world)?;
    let info: ThreadInfo = ok!(other.thread.get_info(InfoTopic::Thread));
    check_eq!(
        info.wait_exception_channel_type,
        ExceptionHandler::None.raw()
    );
    Ok(())
}

fn running_time_grows_only_while_it_runs(world: &World) -> Case {
    let mini = counting(world)?;
    let runtime = || -> libzx::ZxResult<i64> {
        let stats: ThreadStatsInfo = mini.thread.get_info(InfoTopic::ThreadStats)?;
        Ok(stats.total_runtime)
    };
    let begin = libzx::time::now();
    let first = ok!(runtime());
    sleep_ms(30);
    let second = ok!(runtime());
    check!(second > first);
    check!(second - first <= libzx::time::now() - begin);
    let _token = stop(&mini.thread)?;
    let third = ok!(runtime());
    sleep_ms(20);
    check_eq!(ok!(runtime()), third);
    Ok(())
}

fn the_last_cpu_is_told_once_it_ran(world: &World) -> Case {
    home_only!(world);
    let unstarted = mini(world, &Code::new())?;
    let stats: ThreadStatsInfo = ok!(unstarted.thread.get_info(InfoTopic::ThreadStats));
    check_eq!(
        (stats.total_runtime, stats.last_scheduled_cpu),
        (0, INVALID_CPU)
    );
    let mini = counting(world)?;
    let stats: ThreadStatsInfo = ok!(mini.thread.get_info(InfoTopic::ThreadStats));
    check!(stats.last_scheduled_cpu < 512);
    Ok(())
}

fn a_dead_thread_has_no_statistics(world: &World) -> Case {
    let mini = counting(world)?;
    ok!(mini.process.kill());
    reaches(&mini.thread, ThreadState::Dead)?;
    let stats = mini
        .thread
        .get_info::<ThreadStatsInfo>(InfoTopic::ThreadStats);
    match world.level {
        Level::Home => fails!(stats, BadState),
        Level::July2019 => check!(ok!(stats).total_runtime > 0),
    }
    Ok(())
}

fn a_runtime_outlives_the_thread(world: &World) -> Case {
    home_only!(world);
    let mini = counting(world)?;
    let runtime = || {
        mini.thread
            .get_info::<TaskRuntimeInfo>(InfoTopic::TaskRuntime)
    };
    let deadline = in_ms(500);
    while ok!(runtime()).cpu_time == 0 && libzx::time::now() < deadline {
        sleep_ms(1);
    }
    let alive = ok!(runtime());
    check!(alive.cpu_time > 0 && alive.queue_time >= 0);
    ok!(mini.process.kill());
    reaches(&mini.thread, ThreadState::Dead)?;
    check!(ok!(runtime()).cpu_time >= alive.cpu_time);
    Ok(())
}

fn there_is_no_report_without_an_exception(world: &World) -> Case {
    let report = |thread: &libzx::Thread| {
        thread.get_info::<ExceptionReport>(InfoTopic::ThreadExceptionReport)
    };
    let (running, _token) = standing(world)?;
    fails!(report(&running.thread), BadState);
    fails!(report(&mini(world, &Code::new())?.thread), BadState);
    let (faulted, held) = faulted(world)?;
    ok!(report(&faulted.thread));
    drop(held);
    reaches(&faulted.thread, ThreadState::Dead)?;
    fails!(report(&faulted.thread), BadState);
    Ok(())
}

fn a_report_tells_vector_and_type(world: &World) -> Case {
    let (mini, _held) = faulted(world)?;
    let report: ExceptionReport = ok!(mini.thread.get_info(InfoTopic::ThreadExceptionReport));
    check_eq!(report.size, 32);
    check_eq!(report.kind, ExceptionType::UndefinedInstruction.raw());
    check_eq!((report.vector, report.err_code, report.cr2), (6, 0, 0));
    Ok(())
}
