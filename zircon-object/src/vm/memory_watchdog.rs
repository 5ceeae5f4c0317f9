//! Watches how much memory is left, tells programs by events, and kills a job before nothing is left.
//!
//! The frame allocator says when the number of free frames leaves a range. A lower level shows at once; a higher one only
//! when it has lasted [`HYSTERESIS_NS`], so that programs do not start to spend what others have just given back. When the level is
//! out-of-memory the job tree is searched for one with KILL_ON_OOM, again after [`RECOVERY_NS`] as long as that did not help; or,
//! if the command line says so, the machine is rebooted after [`REBOOT_NS`].

use crate::object::KernelObject;
use crate::runtime::{EXECUTOR, TIMERS};
use crate::signal::system_events;
use crate::task::Job;
use alloc::sync::Arc;
use core::future::poll_fn;
use core::ops::Range;
use core::sync::atomic::{AtomicBool, Ordering};
use core::task::Poll;
use executor::{Action, Priority, TaskHandle, TimerSlot};
use kernel_hal::cpu::{End, PowerAction};
use kernel_hal::sync::Mutex;
use kernel_hal::{cpu, frame, time};
use zx_abi::power::SystemEvent;
use zx_abi::{ZxError, ZxResult};

/// For how long a higher level must last before it shows.
const HYSTERESIS_NS: i64 = 10_000_000_000;
/// How long a killed job has to give its memory back before another one is killed.
const RECOVERY_NS: i64 = 500_000_000;
/// How long programs have to save what they can before the machine is rebooted.
const REBOOT_NS: i64 = 8_000_000_000;
/// Pages per MiB.
const MIB: usize = 256;
/// How far beyond a mark memory must be before the level changes, pages.
const DEBOUNCE: usize = MIB;

static CROSSED: AtomicBool = AtomicBool::new(false);
static TASK: Mutex<Option<TaskHandle>> = Mutex::new(None);

/// Below how many free pages each level begins.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Watermarks {
    /// Programs that may be killed are killed.
    pub out_of_memory: usize,
    /// Programs should free what they can.
    pub critical: usize,
    /// Programs should not take more.
    pub warning: usize,
}

impl Watermarks {
    /// Those of Zircon, 50, 150 and 300 MiB; less on a machine with less than 512 MiB, a tenth, three and six tenths.
    #[must_use]
    pub fn for_machine(total_pages: usize) -> Self {
        let mark = |mib: usize, tenths: usize| (mib * MIB).min(total_pages / 10 * tenths);
        Self {
            out_of_memory: mark(50, 1),
            critical: mark(150, 3),
            warning: mark(300, 6),
        }
    }

    /// As the words `kernel.oom.outofmemory-mb=`, `critical-mb=` and `warning-mb=` of a command line say, if they do.
    #[must_use]
    pub fn with_words(mut self, cmdline: &str) -> Self {
        for word in cmdline.split_ascii_whitespace() {
            let Some((name, value)) = word.split_once('=') else {
                continue;
            };
            let mark = match name {
                "kernel.oom.outofmemory-mb" => &mut self.out_of_memory,
                "kernel.oom.critical-mb" => &mut self.critical,
                "kernel.oom.warning-mb" => &mut self.warning,
                _ => continue,
            };
            *mark = value
                .parse()
                .map_or(*mark, |mib: usize| mib.saturating_mul(MIB));
        }
        self
    }

    /// The level of so many free pages, and the range in which it stays.
    fn level(&self, free: usize) -> (SystemEvent, Range<usize>) {
        let marks = [self.out_of_memory, self.critical, self.warning];
        let below = marks.iter().position(|mark| free < *mark);
        let (level, low, high) = match below {
            Some(0) => (SystemEvent::OutOfMemory, 0, marks[0]),
            Some(1) => (SystemEvent::MemoryPressureCritical, marks[0], marks[1]),
            Some(_) => (SystemEvent::MemoryPressureWarning, marks[1], marks[2]),
            None => (SystemEvent::MemoryPressureNormal, marks[2], usize::MAX),
        };
        let stays = low.saturating_sub(DEBOUNCE)..high.saturating_add(DEBOUNCE);
        (level, stays)
    }
}

/// What is done when memory runs out.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum OomBehavior {
    /// Jobs with KILL_ON_OOM are killed.
    KillJobs,
    /// Programs are told, and the machine is rebooted.
    Reboot,
}

impl OomBehavior {
    /// As the word `kernel.oom.behavior=jobkill` or `=reboot` of a command line says; jobs are killed unless one does.
    #[must_use]
    pub fn of_words(cmdline: &str) -> Self {
        let words = cmdline.split_ascii_whitespace();
        let mut values = words.filter_map(|word| word.strip_prefix("kernel.oom.behavior="));
        match values.next_back() {
            Some("reboot") => Self::Reboot,
            Some(_) | None => Self::KillJobs,
        }
    }
}

/// Starts watching; `root` is where jobs to kill are looked for.
///
/// # Errors
/// - `NoMemory`: the kernel heap is exhausted.
pub fn start(root: Arc<Job>, marks: Watermarks, behavior: OomBehavior) -> ZxResult {
    for level in [
        SystemEvent::OutOfMemory,
        SystemEvent::MemoryPressureCritical,
        SystemEvent::MemoryPressureWarning,
        SystemEvent::MemoryPressureNormal,
    ] {
        system_events::system_event(level)?;
    }
    let timer = TIMERS.register().map_err(|_| ZxError::NoMemory)?;
    log::info!(
        "memory-pressure: memory watermarks - OutOfMemory: {}MB, Critical: {}MB, Warning: {}MB",
        marks.out_of_memory / MIB,
        marks.critical / MIB,
        marks.warning / MIB
    );
    let task = EXECUTOR
        .spawn(watch(root, marks, behavior, timer))
        .map_err(|_| ZxError::NoMemory)?;
    if let Some(highest) = Priority::new(31) {
        task.set_priority(highest);
    }
    *TASK.lock() = Some(task);
    Ok(())
}

/// Wakes the watchdog if the frame allocator has something to say. Call with no lock held.
#[inline(always)]
pub(crate) fn look() {
    if frame::take_crossing() {
        wake_task();
    }
}

#[cold]
fn wake_task() {
    CROSSED.store(true, Ordering::Relaxed);
    if let Some(task) = &*TASK.lock() {
        task.wake();
    }
}

/// Lower levels have lower numbers.
const fn rank(level: SystemEvent) -> u8 {
    level as u8
}

async fn watch(root: Arc<Job>, marks: Watermarks, behavior: OomBehavior, timer: TimerSlot) {
    let mut shown = SystemEvent::MemoryPressureNormal;
    // Since when it is better than what shows.
    let mut better_since = None;
    loop {
        let (level, stays) = marks.level(frame::stats().free);
        frame::watch_free(stays);
        let now = time::now();
        let mut again = time::NEVER;
        if rank(level) > rank(shown) {
            let show_at = better_since
                .get_or_insert(now)
                .saturating_add(HYSTERESIS_NS);
            if now >= show_at {
                shown = show(level);
            } else {
                again = show_at;
            }
        } else if rank(level) < rank(shown) {
            shown = show(level);
        }
        if rank(level) <= rank(shown) {
            better_since = None;
        }
        if level == SystemEvent::OutOfMemory {
            match behavior {
                OomBehavior::Reboot => reboot(timer).await,
                OomBehavior::KillJobs if relieve(&root) == Relief::Coming => {
                    again = now.saturating_add(RECOVERY_NS);
                }
                OomBehavior::KillJobs => {}
            }
        }
        until(&timer, again).await;
    }
}

fn show(level: SystemEvent) -> SystemEvent {
    let name = match level {
        SystemEvent::OutOfMemory => "OutOfMemory",
        SystemEvent::MemoryPressureCritical => "Critical",
        SystemEvent::MemoryPressureWarning => "Warning",
        SystemEvent::MemoryPressureNormal => "Normal",
    };
    log::info!("memory-pressure: memory availability state - {name}");
    system_events::show(level);
    level
}

/// Whether memory is about to become free.
#[derive(PartialEq, Eq)]
enum Relief {
    Coming,
    None,
}

fn relieve(root: &Job) -> Relief {
    let Some(job) = root.kill_for_memory() else {
        log::warn!("memory-pressure: no alive job has a kill bit");
        return Relief::None;
    };
    let name = job.name().map(|name| name.get()).unwrap_or_default();
    let name = core::str::from_utf8(&name).unwrap_or("?");
    log::warn!(
        "OOM: killing {} '{}'",
        job.base().koid().0,
        name.trim_end_matches('\0')
    );
    Relief::Coming
}

/// Lets programs save what they can, and reboots, whatever has become of memory meanwhile.
async fn reboot(timer: TimerSlot) -> ! {
    let seconds = REBOOT_NS / 1_000_000_000;
    log::warn!("memory-pressure: pausing for {seconds}s after OOM mem signal");
    timer.until(time::now().saturating_add(REBOOT_NS)).await;
    log::warn!("memory-pressure: rebooting due to OOM");
    cpu::power(PowerAction::Reboot, End::Good)
}

/// Until the free frames leave the range that is watched, or it is `when`.
async fn until(timer: &TimerSlot, when: i64) {
    poll_fn(|cx| {
        if CROSSED.swap(false, Ordering::Relaxed) || time::now() >= when {
            timer.disarm();
            return Poll::Ready(());
        }
        if when != time::NEVER {
            timer.arm(when, Action::Wake(cx.waker().clone()));
        }
        Poll::Pending
    })
    .await;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_large_machine_has_the_marks_of_zircon_and_a_small_one_less() {
        let large = Watermarks::for_machine(4096 * MIB);
        let marks = |marks: Watermarks| [marks.out_of_memory, marks.critical, marks.warning];
        assert_eq!(marks(large), [50 * MIB, 150 * MIB, 300 * MIB]);
        assert_eq!(
            marks(Watermarks::for_machine(100 * MIB)),
            [10 * MIB, 30 * MIB, 60 * MIB]
        );
    }

    #[test]
    fn words_of_the_command_line_move_the_marks() {
        let marks = Watermarks::for_machine(4096 * MIB)
            .with_words("a kernel.oom.critical-mb=7 kernel.oom.warning-mb=x kernel.oom.enable");
        assert_eq!(marks.critical, 7 * MIB);
        assert_eq!(marks.warning, 300 * MIB);
    }

    #[test]
    fn a_word_of_the_command_line_makes_it_reboot() {
        let of = OomBehavior::of_words;
        assert_eq!(of("kernel.oom.enable a"), OomBehavior::KillJobs);
        assert_eq!(of("a kernel.oom.behavior=reboot"), OomBehavior::Reboot);
        let twice = "kernel.oom.behavior=reboot kernel.oom.behavior=jobkill";
        assert_eq!(of(twice), OomBehavior::KillJobs);
        assert_eq!(of("kernel.oom.behavior=x"), OomBehavior::KillJobs);
    }

    #[test]
    fn a_level_stays_a_little_beyond_its_marks() {
        let marks = Watermarks {
            out_of_memory: 1000,
            critical: 3000,
            warning: 6000,
        };
        assert_eq!(marks.level(999), (SystemEvent::OutOfMemory, 0..1256));
        assert_eq!(
            marks.level(1000),
            (SystemEvent::MemoryPressureCritical, 744..3256)
        );
        assert_eq!(
            marks.level(5999),
            (SystemEvent::MemoryPressureWarning, 2744..6256)
        );
        let (level, stays) = marks.level(6000);
        assert_eq!(
            (level, stays.start),
            (SystemEvent::MemoryPressureNormal, 5744)
        );
    }
}
