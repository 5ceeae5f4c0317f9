//! What a VMO asks its pager for.
//!
//! A thread that needs a page which is not there asks for a run of pages and waits. When somebody has asked for the page
//! already, it waits with him. A request is one packet in the pager's port; it ends when all its pages were supplied, when
//! the pages are cut off, when nobody waits any more (the packet is taken back), or when the source is gone. Whoever waited
//! looks again then.
//!
//! The source's lock nests inside the VMO's: requests are made and served under the VMO's lock, so none misses a page.

use crate::alloc_try::{try_arc, TryPush};
use crate::object::{Koid, Wakes};
use crate::signal::Port;
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::future::Future;
use core::ops::Range;
use core::pin::Pin;
use core::task::{Context, Poll, Waker};
use kernel_hal::sync::Mutex;
use zx_abi::limits::PAGE_SIZE;
use zx_abi::packet::{PageRequestCommand, PortPacket};
use zx_abi::{ZxError, ZxResult};

/// Where a VMO's pages come from.
pub struct PageSource {
    pager: Koid,
    port: Arc<Port>,
    key: u64,
    /// What accesses get when a page is missing and nobody supplies it any more.
    gone: ZxError,
    inner: Mutex<Inner>,
}

struct Inner {
    state: State,
    /// Ordered by when they were made. No two overlap.
    requests: Vec<Request>,
    next_ticket: u64,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum State {
    Attached,
    Gone,
}

struct Request {
    /// Names it, and its packet in the port.
    id: Koid,
    pages: Range<u64>,
    /// Pages that were not supplied yet.
    missing: u64,
    waiting: Vec<Waiting>,
    /// What the pager said instead of supplying: nobody joins it any more, and it stays until those who wait have heard.
    failed: Option<ZxError>,
}

struct Waiting {
    ticket: u64,
    waker: Option<Waker>,
}

/// Whether the pager is told that it will not be asked again.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(in crate::vm) enum Farewell {
    /// By a packet.
    Packet,
    /// It knows.
    None,
}

impl PageSource {
    pub(super) fn new(
        pager: Koid,
        port: Arc<Port>,
        key: u64,
        gone: ZxError,
    ) -> ZxResult<Arc<Self>> {
        let inner = Inner {
            state: State::Attached,
            requests: Vec::new(),
            next_ticket: 0,
        };
        try_arc(Self {
            pager,
            port,
            key,
            gone,
            inner: Mutex::new(inner),
        })
    }

    pub(super) fn pager(&self) -> Koid {
        self.pager
    }

    /// Why a page that is missing cannot be had now: it has to be asked for, or will never come.
    pub(in crate::vm) fn verdict(&self) -> ZxError {
        match self.inner.lock().state {
            State::Attached => ZxError::ShouldWait,
            State::Gone => self.gone,
        }
    }

    /// Asks for pages that are not there, or waits for the request that has the first of them already. A request ends where
    /// another one begins.
    ///
    /// # Errors
    /// - What was said at creation: the source is gone.
    /// - `NoMemory`: the kernel heap is exhausted.
    pub(in crate::vm) fn ask(
        self: &Arc<Self>,
        pages: Range<u64>,
        wakes: &mut Wakes,
    ) -> ZxResult<PageRequest> {
        let mut inner = self.inner.lock();
        if inner.state == State::Gone {
            return Err(self.gone);
        }
        let ticket = inner.next_ticket;
        inner.next_ticket += 1;
        let waiting = Waiting {
            ticket,
            waker: None,
        };
        if let Some(request) = inner
            .requests
            .iter_mut()
            .find(|request| request.is_open() && request.pages.contains(&pages.start))
        {
            request.waiting.try_push(waiting)?;
            return Ok(PageRequest {
                source: self.clone(),
                id: request.id,
                ticket,
            });
        }
        let later = inner
            .requests
            .iter()
            .filter(|request| request.is_open())
            .map(|request| request.pages.start)
            .filter(|start| *start > pages.start);
        let pages = pages.start..later.fold(pages.end, u64::min);
        let id = Koid::next();
        let mut first = Vec::new();
        first.try_push(waiting)?;
        inner.requests.try_push(Request {
            id,
            missing: pages.end - pages.start,
            pages: pages.clone(),
            waiting: first,
            failed: None,
        })?;
        let page = PAGE_SIZE as u64;
        let (offset, len) = (pages.start * page, (pages.end - pages.start) * page);
        let packet = PortPacket::page_request(self.key, PageRequestCommand::Read, offset, len);
        if let Err(error) = self.port.queue_of(id, packet, wakes) {
            inner.requests.pop();
            return Err(error);
        }
        Ok(PageRequest {
            source: self.clone(),
            id,
            ticket,
        })
    }

    /// The pages are there now.
    pub(in crate::vm) fn settled(&self, pages: Range<u64>, wakes: &mut Wakes) {
        let mut inner = self.inner.lock();
        for request in &mut inner.requests {
            let start = pages.start.max(request.pages.start);
            let end = pages.end.min(request.pages.end);
            request.missing = request.missing.saturating_sub(end.saturating_sub(start));
        }
        inner.end_where(&self.port, |request| request.missing == 0, wakes);
    }

    /// Pages of the range are none of the VMO's any more: nobody waits for those that `missing` counts in a part of it.
    pub(in crate::vm) fn forget(
        &self,
        gone: &Range<u64>,
        missing: impl Fn(Range<u64>) -> u64,
        wakes: &mut Wakes,
    ) {
        let mut inner = self.inner.lock();
        for request in &mut inner.requests {
            let (start, end) = (
                gone.start.max(request.pages.start),
                gone.end.min(request.pages.end),
            );
            if start < end {
                request.missing = request.missing.saturating_sub(missing(start..end));
            }
        }
        inner.end_where(&self.port, |request| request.missing == 0, wakes);
    }

    /// The pager cannot supply pages of the range: every request that has one of them ends, and who waits hears `error`. Who
    /// needs the pages later asks anew.
    pub(in crate::vm) fn fail(&self, pages: &Range<u64>, error: ZxError, wakes: &mut Wakes) {
        let mut inner = self.inner.lock();
        for request in &mut inner.requests {
            let meets = request.pages.start < pages.end && pages.start < request.pages.end;
            if meets && request.is_open() {
                request.failed = Some(error);
                self.port.remove_packet_of(request.id);
                for waiting in &mut request.waiting {
                    if let Some(waker) = waiting.waker.take() {
                        wakes.push(waker);
                    }
                }
            }
        }
    }

    /// Nothing more is asked for: missing pages will never come.
    pub(in crate::vm) fn detach(&self, farewell: Farewell, wakes: &mut Wakes) {
        let mut inner = self.inner.lock();
        if core::mem::replace(&mut inner.state, State::Gone) == State::Gone {
            return;
        }
        inner.end_where(&self.port, |_| true, wakes);
        if farewell == Farewell::Packet {
            let packet = PortPacket::page_request(self.key, PageRequestCommand::Complete, 0, 0);
            if self.port.queue_of(Koid::next(), packet, wakes).is_err() {
                log::warn!("no memory to tell a pager that its VMO is gone");
            }
        }
    }

    /// Nobody waits through this ticket any more; whoever waited last takes the request back.
    fn leave(&self, id: Koid, ticket: u64) {
        let mut inner = self.inner.lock();
        if let Some(request) = inner.requests.iter_mut().find(|request| request.id == id) {
            request.waiting.retain(|waiting| waiting.ticket != ticket);
        }
        inner.end_where(
            &self.port,
            |request| request.waiting.is_empty(),
            &mut Wakes::none(),
        );
    }
}

impl Request {
    fn is_open(&self) -> bool {
        self.failed.is_none()
    }
}

impl Inner {
    fn end_where(&mut self, port: &Port, ends: impl Fn(&Request) -> bool, wakes: &mut Wakes) {
        self.requests.retain_mut(|request| {
            let stays = !ends(request) || (!request.is_open() && !request.waiting.is_empty());
            if !stays {
                port.remove_packet_of(request.id);
                for waiting in request.waiting.drain(..) {
                    if let Some(waker) = waiting.waker {
                        wakes.push(waker);
                    }
                }
            }
            stays
        });
    }
}

/// The wait for pages. When it is over the access is tried again, unless the pager said that it failed; dropping it takes the
/// request back if nobody else waits.
pub struct PageRequest {
    source: Arc<PageSource>,
    id: Koid,
    ticket: u64,
}

impl Future for PageRequest {
    /// An error is what the pager failed the request with.
    type Output = ZxResult;
    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<ZxResult> {
        let mut inner = self.source.inner.lock();
        let Some(request) = inner
            .requests
            .iter_mut()
            .find(|request| request.id == self.id)
        else {
            return Poll::Ready(Ok(()));
        };
        if let Some(error) = request.failed {
            return Poll::Ready(Err(error));
        }
        match request
            .waiting
            .iter_mut()
            .find(|waiting| waiting.ticket == self.ticket)
        {
            Some(waiting) => {
                waiting.waker = Some(cx.waker().clone());
                Poll::Pending
            }
            None => Poll::Ready(Ok(())),
        }
    }
}

impl Drop for PageRequest {
    fn drop(&mut self) {
        self.source.leave(self.id, self.ticket);
    }
}

impl core::fmt::Debug for PageRequest {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        write!(f, "PageRequest({})", self.id.0)
    }
}
