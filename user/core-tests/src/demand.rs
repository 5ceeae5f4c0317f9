//! A pager of this program's own, and threads that need its pages.

use alloc::sync::Arc;
use core::sync::atomic::{AtomicI32, Ordering};

use libzx::{AsHandle, Pager, Port, Rights, Signals, Thread, Vmo, ZxError, ZxResult};
use zx_abi::info::ThreadState;
use zx_abi::packet::PageRequestCommand;

use crate::crash::{Ending, Risky};
use crate::other_thread::is_in;
use crate::pages::{op, same, stamp_of, stamped, View, COMMIT, PAGE64};
use crate::world::{in_ms, soon, Level, World};

/// The number in page 0 of what [`Demand::supply`] supplies; the others count from there.
const FIRST: u64 = 0x1000;

/// A pager and the port where its VMOs ask.
#[derive(Debug)]
pub(crate) struct Demand {
    pub(crate) pager: Pager,
    pub(crate) port: Port,
}

/// How a thread touches memory.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Way {
    /// `vmo_read` of the whole range.
    Call,
    /// One load in each page of a mapping.
    Fault,
    /// COMMIT of the whole range.
    Commit,
}

/// What the reader of a range came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Outcome {
    /// It saw what was supplied.
    Right,
    /// It saw something else.
    Wrong,
    /// Its call failed.
    Failed(ZxError),
    /// Its load could not be resolved.
    Faulted,
}

/// What a request packet says: offset and length in pages.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Packet {
    /// Pages are wanted.
    Read(u64, u64, u64),
    /// The VMO with this key will not ask again.
    Complete(u64),
}

impl Demand {
    pub(crate) fn new() -> ZxResult<Self> {
        Ok(Self {
            pager: Pager::create()?,
            port: Port::create()?,
        })
    }

    /// A VMO with a key.
    pub(crate) fn vmo(&self, pages: u64, key: u64) -> ZxResult<Vmo> {
        self.pager.create_vmo(0, &self.port, key, pages * PAGE64)
    }

    /// One whose size can change.
    pub(crate) fn resizable(&self, pages: u64, key: u64) -> ZxResult<Vmo> {
        self.pager.create_vmo(2, &self.port, key, pages * PAGE64)
    }

    /// Supplies pages as readers expect them.
    pub(crate) fn supply(&self, vmo: &Vmo, page: u64, count: u64) -> ZxResult {
        self.supply_from(vmo, page, count, FIRST + page)
    }

    /// Supplies pages with other numbers.
    pub(crate) fn supply_from(&self, vmo: &Vmo, page: u64, count: u64, first: u64) -> ZxResult {
        let source = stamped(count, first)?;
        self.pager
            .supply(vmo, page * PAGE64, count * PAGE64, &source, 0)
    }

    /// Fails the requests for a range.
    pub(crate) fn fail(&self, vmo: &Vmo, page: u64, count: u64, why: ZxError) -> ZxResult {
        self.pager.fail(vmo, page * PAGE64, count * PAGE64, why)
    }

    fn packet(&self, deadline: i64) -> ZxResult<Packet> {
        let packet = self.port.wait(deadline)?;
        let request = packet.as_page_request().ok_or(ZxError::WrongType)?;
        match PageRequestCommand::from_raw(request.command) {
            Some(PageRequestCommand::Read) => Ok(Packet::Read(
                packet.key,
                request.offset / PAGE64,
                request.length / PAGE64,
            )),
            Some(PageRequestCommand::Complete) => Ok(Packet::Complete(packet.key)),
            None => Err(ZxError::NotFound),
        }
    }

    /// The next packet.
    pub(crate) fn next(&self) -> ZxResult<Packet> {
        self.packet(soon())
    }

    /// Whether no packet comes.
    pub(crate) fn is_quiet(&self) -> bool {
        self.packet(in_ms(2)) == Err(ZxError::TimedOut)
    }

    /// Whether no packet is there right now.
    pub(crate) fn is_empty(&self) -> bool {
        self.packet(0) == Err(ZxError::TimedOut)
    }
}

/// What a VMO shows at a page that was supplied.
pub(crate) const fn supplied(page: u64) -> u64 {
    FIRST + page
}

/// What readers of a detached VMO are told.
pub(crate) fn detached(world: &World) -> Outcome {
    Outcome::Failed(match world.level {
        Level::Home => ZxError::BadState,
        Level::July2019 => ZxError::NotFound,
    })
}

/// A thread that touches part of a VMO.
#[derive(Debug)]
pub(crate) struct Reader {
    thread: Risky,
    way: Way,
    result: Arc<AtomicI32>,
}

const RIGHT: i32 = 1;
const WRONG: i32 = 2;

impl Reader {
    /// Starts it.
    pub(crate) fn start(vmo: &Vmo, page: u64, count: u64, way: Way) -> ZxResult<Self> {
        let vmo = same(vmo)?;
        let result = Arc::new(AtomicI32::new(0));
        let told = Arc::clone(&result);
        let view = match way {
            Way::Fault => Some(View::with(
                &vmo,
                libzx::VmOptions::PERM_READ,
                page,
                usize::try_from(count).map_err(|_| ZxError::OutOfRange)?,
            )?),
            Way::Call | Way::Commit => None,
        };
        let thread = Risky::start(move || {
            let right = match (&view, way) {
                (Some(view), _) => Ok((0..)
                    .zip(page..page + count)
                    .all(|(index, page)| view.load(index) == supplied(page))),
                (None, Way::Commit) => op(&vmo, COMMIT, page, count).map(|()| true),
                (None, _) => read_all(&vmo, page, count),
            };
            let value = match right {
                Ok(true) => RIGHT,
                Ok(false) => WRONG,
                Err(error) => error as i32,
            };
            told.store(value, Ordering::SeqCst);
        })?;
        Ok(Self {
            thread,
            way,
            result,
        })
    }

    pub(crate) const fn thread(&self) -> &Thread {
        self.thread.thread()
    }

    /// Waits until it waits for its pager.
    pub(crate) fn waits(&self) -> bool {
        is_in(self.thread(), ThreadState::BlockedPager)
    }

    /// Whether it is still at it.
    pub(crate) fn is_busy(&self) -> bool {
        self.result.load(Ordering::SeqCst) == 0
    }

    /// Waits for its end.
    pub(crate) fn outcome(self) -> ZxResult<Outcome> {
        let (way, result) = (self.way, Arc::clone(&self.result));
        match self.thread.ending()? {
            Ending::Well => {}
            Ending::Crash(..) if way == Way::Fault => return Ok(Outcome::Faulted),
            Ending::Crash(..) => return Err(ZxError::Internal),
        }
        Ok(match result.load(Ordering::SeqCst) {
            RIGHT => Outcome::Right,
            WRONG => Outcome::Wrong,
            error => Outcome::Failed(ZxError::try_from(error).unwrap_or(ZxError::Internal)),
        })
    }
}

/// Whether one call reads what was supplied.
fn read_all(vmo: &Vmo, page: u64, count: u64) -> ZxResult<bool> {
    let len = usize::try_from(count * PAGE64).map_err(|_| ZxError::OutOfRange)?;
    let mut bytes = alloc::vec![0; len];
    vmo.read(&mut bytes, page * PAGE64)?;
    let numbers = bytes.chunks(4096).map(|page| {
        let mut number = [0; 8];
        number.copy_from_slice(&page[..8]);
        u64::from_le_bytes(number)
    });
    Ok(numbers
        .zip(page..)
        .all(|(number, page)| number == supplied(page)))
}

/// Suspends a thread and waits until it stands still; the token keeps it so.
pub(crate) fn suspended(thread: &Thread) -> ZxResult<libzx::Handle> {
    let token = thread.suspend()?;
    thread.wait_one(Signals::THREAD_SUSPENDED, soon())?;
    Ok(token)
}

/// What a reader of one page comes to; None while nobody answers its request.
pub(crate) fn page_shows(vmo: &Vmo, page: u64) -> ZxResult<bool> {
    Ok(stamp_of(vmo, page)? == supplied(page))
}

/// A handle to the same pager's VMO, without a right.
pub(crate) fn without(vmo: &Vmo, right: Rights) -> ZxResult<Vmo> {
    let info = crate::world::basic_info(vmo)?;
    vmo.duplicate(info.rights.difference(right))
}

/// Writes each case in the two ways that a page can be missed.
macro_rules! both_ways {
    ($($by_call:ident, $by_fault:ident = $body:ident;)+) => {
        $(
            fn $by_call(world: &$crate::world::World) -> $crate::check::Case {
                $body(world, $crate::demand::Way::Call)
            }

            fn $by_fault(world: &$crate::world::World) -> $crate::check::Case {
                $body(world, $crate::demand::Way::Fault)
            }
        )+
    };
}

pub(crate) use both_ways;
