//! Ways to ask `object_get_info` that every topic answers alike: one case each, for any topic.

use alloc::boxed::Box;
use core::any::Any;

use libzx::{AsHandle, Handle, Rights, Unowned, ZxResult};
use zx_abi::info::InfoTopic;
use zx_abi::syscalls::SyscallId;

use super::subject::{job, standing};
use crate::check::{check, check_eq, fails, ok, skip, Case, Outcome};
use crate::memory::{call, Edge, Scratch, BAD_ADDRESSES};
use crate::world::{Level, World};

/// A topic, and whom to ask.
pub(super) struct Question {
    pub(super) topic: InfoTopic,
    /// The rights it takes, each of them.
    pub(super) rights: Rights,
    /// An object that has an answer.
    pub(super) subject: fn(&World) -> Result<Subject, Outcome>,
}

/// A handle to ask, and what must live while it is asked.
pub(super) struct Subject {
    pub(super) handle: Handle,
    _keep: Box<dyn Any>,
}

impl Subject {
    pub(super) fn new(handle: impl Into<Handle>, keep: impl Any) -> Self {
        Self {
            handle: handle.into(),
            _keep: Box::new(keep),
        }
    }
}

/// Where the counts go in the page of a call: behind every record.
const COUNTS: usize = 4000;
/// What memory holds that the kernel must not have written.
const UNTOUCHED: u64 = 0x5555_5555_5555_5555;

/// Bytes of a record here.
fn record_size(world: &World, question: &Question) -> Result<usize, Outcome> {
    let size = match world.level {
        Level::Home => Some(question.topic.record_size()),
        Level::July2019 => question.topic.record_size_2019(),
    };
    match size {
        Some(size) => Ok(size),
        None => skip!("2020 only"),
    }
}

fn ask(
    question: &Question,
    handle: &dyn AsHandle,
    buffer: usize,
    size: usize,
    counts: [usize; 2],
) -> ZxResult {
    let topic = question.topic.raw() as usize;
    let args = [
        handle.raw() as usize,
        topic,
        buffer,
        size,
        counts[0],
        counts[1],
    ];
    call(SyscallId::ObjectGetInfo, &args)
}

/// A page with untouched counts, and where they are.
fn page() -> Result<(Scratch, [usize; 2]), Outcome> {
    let mut page = ok!(Scratch::new());
    page.put(COUNTS, &[UNTOUCHED; 2]);
    let at = page.address() + COUNTS;
    Ok((page, [at, at + 8]))
}

pub(super) fn an_answer_comes(world: &World, question: &Question) -> Case {
    let (size, subject) = (record_size(world, question)?, (question.subject)(world)?);
    let (page, counts) = page()?;
    ok!(ask(
        question,
        &subject.handle,
        page.address(),
        COUNTS / size * size,
        counts
    ));
    let [actual, avail]: [u64; 2] = page.get(COUNTS);
    check_eq!(actual, avail);
    check!(if question.topic.is_list() {
        actual >= 1
    } else {
        actual == 1
    });
    Ok(())
}

pub(super) fn a_handle_that_is_none_is_refused(world: &World, question: &Question) -> Case {
    let size = record_size(world, question)?;
    let (page, counts) = page()?;
    fails!(
        ask(question, &Unowned(0), page.address(), size, counts),
        BadHandle
    );
    let closed = ok!(libzx::Event::create()).raw();
    fails!(
        ask(question, &Unowned(closed), page.address(), size, counts),
        BadHandle
    );
    check_eq!(page.get::<[u64; 2]>(COUNTS), [UNTOUCHED; 2]);
    Ok(())
}

pub(super) fn one_may_leave_out_how_many_there_are(world: &World, question: &Question) -> Case {
    let (size, subject) = (record_size(world, question)?, (question.subject)(world)?);
    let (page, [actual, _]) = page()?;
    ok!(ask(
        question,
        &subject.handle,
        page.address(),
        size,
        [actual, 0]
    ));
    check_eq!(page.get::<[u64; 2]>(COUNTS), [1, UNTOUCHED]);
    Ok(())
}

pub(super) fn one_may_leave_out_how_many_came(world: &World, question: &Question) -> Case {
    let (size, subject) = (record_size(world, question)?, (question.subject)(world)?);
    let (page, [_, avail]) = page()?;
    ok!(ask(
        question,
        &subject.handle,
        page.address(),
        size,
        [0, avail]
    ));
    let [actual, avail]: [u64; 2] = page.get(COUNTS);
    check_eq!(actual, UNTOUCHED);
    check!((1..1000).contains(&avail));
    Ok(())
}

pub(super) fn one_may_leave_out_both_counts(world: &World, question: &Question) -> Case {
    let (size, subject) = (record_size(world, question)?, (question.subject)(world)?);
    let (page, _) = page()?;
    ok!(ask(question, &subject.handle, page.address(), size, [0, 0]));
    check_eq!(page.get::<[u64; 2]>(COUNTS), [UNTOUCHED; 2]);
    Ok(())
}

pub(super) fn a_bad_buffer_is_refused(world: &World, question: &Question) -> Case {
    let (size, subject) = (record_size(world, question)?, (question.subject)(world)?);
    let (_page, counts) = page()?;
    for bad in BAD_ADDRESSES {
        fails!(
            ask(question, &subject.handle, bad, size, counts),
            InvalidArgs
        );
    }
    Ok(())
}

pub(super) fn a_bad_pointer_to_how_many_came_is_refused(
    world: &World,
    question: &Question,
) -> Case {
    refuses_counts(world, question, |bad, [_, avail]| [bad, avail])
}

pub(super) fn a_bad_pointer_to_how_many_there_are_is_refused(
    world: &World,
    question: &Question,
) -> Case {
    refuses_counts(world, question, |bad, [actual, _]| [actual, bad])
}

/// Bad places for the numbers, put among good ones by `spoil`; null is none of them.
fn refuses_counts(
    world: &World,
    question: &Question,
    spoil: impl Fn(usize, [usize; 2]) -> [usize; 2],
) -> Case {
    let (size, subject) = (record_size(world, question)?, (question.subject)(world)?);
    let (page, counts) = page()?;
    for bad in BAD_ADDRESSES.into_iter().filter(|address| *address != 0) {
        let counts = spoil(bad, counts);
        fails!(
            ask(question, &subject.handle, page.address(), size, counts),
            InvalidArgs
        );
    }
    Ok(())
}

pub(super) fn a_buffer_of_no_bytes_is_too_small(world: &World, question: &Question) -> Case {
    record_size(world, question)?;
    let subject = (question.subject)(world)?;
    let (page, counts) = page()?;
    for buffer in [0, page.address()] {
        fails!(
            ask(question, &subject.handle, buffer, 0, counts),
            BufferTooSmall
        );
        check_eq!(page.get::<[u64; 2]>(COUNTS), [0, 1]);
    }
    Ok(())
}

pub(super) fn a_buffer_one_byte_short_is_left_alone(world: &World, question: &Question) -> Case {
    let (size, subject) = (record_size(world, question)?, (question.subject)(world)?);
    let (mut page, counts) = page()?;
    page.put(0, &[0x55u8; 256]);
    let asked = ask(question, &subject.handle, page.address(), size - 1, counts);
    fails!(asked, BufferTooSmall);
    check_eq!(page.get::<[u8; 256]>(0), [0x55; 256]);
    check_eq!(page.get::<[u64; 2]>(COUNTS), [0, 1]);
    Ok(())
}

pub(super) fn only_the_record_is_written(world: &World, question: &Question) -> Case {
    let (size, subject) = (record_size(world, question)?, (question.subject)(world)?);
    let (mut page, counts) = page()?;
    page.put(size, &UNTOUCHED);
    ok!(ask(question, &subject.handle, page.address(), 2048, counts));
    check_eq!(page.get::<u64>(size), UNTOUCHED);
    check_eq!(page.get::<[u64; 2]>(COUNTS), [1, 1]);
    Ok(())
}

pub(super) fn a_list_of_no_room_tells_how_many_there_are(
    world: &World,
    question: &Question,
) -> Case {
    record_size(world, question)?;
    let subject = (question.subject)(world)?;
    let (mut page, counts) = page()?;
    for buffer in [0, page.address()] {
        page.put(COUNTS, &[UNTOUCHED; 2]);
        ok!(ask(question, &subject.handle, buffer, 0, counts));
        let [actual, avail]: [u64; 2] = page.get(COUNTS);
        check_eq!(actual, 0);
        check!((1..1000).contains(&avail));
    }
    Ok(())
}

pub(super) fn a_list_with_room_for_part_of_a_record_gives_whole_ones(
    world: &World,
    question: &Question,
) -> Case {
    let (size, subject) = (record_size(world, question)?, (question.subject)(world)?);
    let (mut page, counts) = page()?;
    page.put(size, &UNTOUCHED);
    ok!(ask(
        question,
        &subject.handle,
        page.address(),
        2 * size - 1,
        counts
    ));
    let [actual, avail]: [u64; 2] = page.get(COUNTS);
    check_eq!(actual, 1);
    check!(avail >= 1);
    check_eq!(page.get::<u64>(size), UNTOUCHED);
    Ok(())
}

pub(super) fn a_buffer_that_leaves_its_mapping_is_refused(
    world: &World,
    question: &Question,
) -> Case {
    let (size, subject) = (record_size(world, question)?, (question.subject)(world)?);
    let (_page, counts) = page()?;
    let edge = ok!(Edge::new());
    let buffer = edge.before_end(size - 1);
    fails!(
        ask(question, &subject.handle, buffer, size, counts),
        InvalidArgs
    );
    Ok(())
}

pub(super) fn a_buffer_may_end_with_its_mapping(world: &World, question: &Question) -> Case {
    let (size, subject) = (record_size(world, question)?, (question.subject)(world)?);
    let (_page, counts) = page()?;
    let edge = ok!(Edge::new());
    ok!(ask(
        question,
        &subject.handle,
        edge.before_end(size),
        size,
        counts
    ));
    Ok(())
}

pub(super) fn each_of_its_rights_is_needed(world: &World, question: &Question) -> Case {
    let (size, subject) = (record_size(world, question)?, (question.subject)(world)?);
    let (page, counts) = page()?;
    let basic: zx_abi::info::HandleBasicInfo = ok!(subject.handle.get_info(InfoTopic::HandleBasic));
    for right in question.rights.iter() {
        let weak = ok!(subject
            .handle
            .duplicate_handle(basic.rights.difference(right)));
        let asked = ask(question, &weak, page.address(), size, counts);
        fails!(asked, AccessDenied);
    }
    let enough = ok!(subject.handle.duplicate_handle(question.rights));
    ok!(ask(question, &enough, page.address(), size, counts));
    Ok(())
}

fn is_of_the_wrong_type(world: &World, question: &Question, handle: &dyn AsHandle) -> Case {
    let size = record_size(world, question)?;
    let (page, counts) = page()?;
    fails!(
        ask(question, handle, page.address(), size, counts),
        WrongType
    );
    // The type is looked at before the rights.
    let weak = ok!(handle.duplicate_handle(Rights::TRANSFER));
    fails!(
        ask(question, &weak, page.address(), size, counts),
        WrongType
    );
    Ok(())
}

pub(super) fn a_job_has_the_wrong_type(world: &World, question: &Question) -> Case {
    is_of_the_wrong_type(world, question, &job(world)?)
}

pub(super) fn a_process_has_the_wrong_type(world: &World, question: &Question) -> Case {
    is_of_the_wrong_type(world, question, &standing(world)?.0.process)
}

pub(super) fn a_thread_has_the_wrong_type(world: &World, question: &Question) -> Case {
    is_of_the_wrong_type(world, question, &standing(world)?.0.thread)
}

pub(super) fn an_event_has_the_wrong_type(world: &World, question: &Question) -> Case {
    is_of_the_wrong_type(world, question, &ok!(libzx::Event::create()))
}

/// Declares the suite of a topic with one record.
macro_rules! record_suite {
    ($const:ident = $name:literal, $question:ident: [$($form:ident),* $(,)?] [$($own:ident),* $(,)?]) => {
        $crate::task::info_form::suite_of!($const = $name, $question: [
            an_answer_comes, a_handle_that_is_none_is_refused, one_may_leave_out_how_many_there_are,
            one_may_leave_out_how_many_came, one_may_leave_out_both_counts, a_bad_buffer_is_refused,
            a_bad_pointer_to_how_many_came_is_refused, a_bad_pointer_to_how_many_there_are_is_refused,
            a_buffer_of_no_bytes_is_too_small, a_buffer_one_byte_short_is_left_alone, only_the_record_is_written,
            a_buffer_that_leaves_its_mapping_is_refused, a_buffer_may_end_with_its_mapping,
            $($form,)*
        ] [$($own,)*]);
    };
}

/// Declares the suite of a topic with a list of records.
macro_rules! list_suite {
    ($const:ident = $name:literal, $question:ident: [$($form:ident),* $(,)?] [$($own:ident),* $(,)?]) => {
        $crate::task::info_form::suite_of!($const = $name, $question: [
            an_answer_comes, a_handle_that_is_none_is_refused, one_may_leave_out_how_many_there_are,
            one_may_leave_out_how_many_came, one_may_leave_out_both_counts, a_bad_buffer_is_refused,
            a_bad_pointer_to_how_many_came_is_refused, a_bad_pointer_to_how_many_there_are_is_refused,
            a_list_of_no_room_tells_how_many_there_are, a_list_with_room_for_part_of_a_record_gives_whole_ones,
            a_buffer_that_leaves_its_mapping_is_refused, a_buffer_may_end_with_its_mapping,
            each_of_its_rights_is_needed,
            $($form,)*
        ] [$($own,)*]);
    };
}

macro_rules! suite_of {
    ($const:ident = $name:literal, $question:ident: [$($form:ident),* $(,)?] [$($own:ident),* $(,)?]) => {
        pub(super) const $const: $crate::runner::Suite = $crate::runner::Suite {
            name: $name,
            cases: &[
                $((stringify!($form), |world| $crate::task::info_form::$form(world, &$question)),)*
                $((stringify!($own), $own),)*
            ],
        };
    };
}

pub(super) use {list_suite, record_suite, suite_of};
