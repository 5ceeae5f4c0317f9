//! Clocks, sleeping, random numbers.

use libzx::time;
use zx_abi::syscalls::SyscallId;

use crate::check::{check, check_eq, fails, needs, ok, suite, Case};
use crate::memory::{call, Scratch, BAD_ADDRESSES};
use crate::world::{in_ms, World};

suite! {
    "Time":
    the_clock_never_goes_back,
    the_clock_goes_at_the_speed_of_the_ticks,
    clock_get_agrees_with_the_vdso,
    the_thread_clock_counts_running_time,
    the_wall_clock_moves,
    unknown_clocks_are_refused,
    sleeping_lasts_until_the_deadline,
    a_passed_deadline_only_yields,
    deadlines_saturate,
    random_bytes_differ,
}

fn the_clock_never_goes_back(_: &World) -> Case {
    let mut last = time::now();
    check!(last > 0);
    for _ in 0..1000 {
        let now = time::now();
        check!(now >= last);
        last = now;
    }
    Ok(())
}

fn the_clock_goes_at_the_speed_of_the_ticks(_: &World) -> Case {
    let per_second = time::ticks_per_second();
    check!(per_second > 0);
    // The clock is read between two readings of the ticks, because anything may run between them.
    let read = || (time::ticks(), time::now(), time::ticks());
    let first = read();
    time::sleep_until(in_ms(20));
    let second = read();
    let nanoseconds = |ticks: i64| i128::from(ticks) * 1_000_000_000 / i128::from(per_second);
    let (least, most) = (
        nanoseconds(second.0 - first.2),
        nanoseconds(second.2 - first.0),
    );
    let elapsed = i128::from(second.1 - first.1);
    // Loose, because a kernel in an emulator measures its ticks badly. On a busy machine it takes `-icount` to be this good.
    check!(least - elapsed / 4 <= elapsed && elapsed <= most + elapsed / 4);
    Ok(())
}

fn clock_get(clock: usize, page: &Scratch) -> libzx::ZxResult<i64> {
    call(SyscallId::ClockGet, &[clock, page.address()])?;
    Ok(page.get(0))
}

fn clock_get_agrees_with_the_vdso(_: &World) -> Case {
    needs!(ClockGet);
    let page = ok!(Scratch::new());
    let before = time::now();
    let between = ok!(clock_get(0, &page));
    check!(before <= between && between <= time::now());
    Ok(())
}

fn the_thread_clock_counts_running_time(_: &World) -> Case {
    needs!(ClockGet);
    let page = ok!(Scratch::new());
    let start = (ok!(clock_get(2, &page)), time::now());
    time::sleep_until(in_ms(10));
    let asleep = (ok!(clock_get(2, &page)), time::now());
    check!(asleep.0 >= start.0);
    check!(asleep.0 - start.0 < asleep.1 - start.1);
    while time::now() < asleep.1 + 2_000_000 {}
    check!(ok!(clock_get(2, &page)) > asleep.0);
    Ok(())
}

fn the_wall_clock_moves(_: &World) -> Case {
    let utc = ok!(time::utc());
    time::sleep_until(in_ms(2));
    let later = ok!(time::utc());
    check!(later >= utc + 2_000_000);
    Ok(())
}

fn unknown_clocks_are_refused(_: &World) -> Case {
    needs!(ClockGet);
    let page = ok!(Scratch::new());
    for clock in [3, 4, 0xffff_ffff] {
        fails!(clock_get(clock, &page), InvalidArgs);
    }
    for bad in BAD_ADDRESSES {
        fails!(call(SyscallId::ClockGet, &[0, bad]), InvalidArgs);
    }
    Ok(())
}

fn sleeping_lasts_until_the_deadline(_: &World) -> Case {
    for milliseconds in [1, 3, 10] {
        let deadline = in_ms(milliseconds);
        ok!(call(
            SyscallId::Nanosleep,
            &[usize::try_from(deadline).unwrap_or(0)]
        ));
        check!(time::now() >= deadline);
    }
    Ok(())
}

fn a_passed_deadline_only_yields(_: &World) -> Case {
    let start = time::now();
    ok!(call(SyscallId::Nanosleep, &[0]));
    ok!(call(SyscallId::Nanosleep, &[usize::MAX]));
    check!(time::now() - start < 1_000_000_000);
    Ok(())
}

fn deadlines_saturate(_: &World) -> Case {
    check_eq!(time::after(i64::MAX), i64::MAX);
    check_eq!(time::after(i64::MAX - 1), i64::MAX);
    let (before, deadline) = (time::now(), time::after(1_000));
    check!(deadline >= before + 1_000 && deadline <= time::now() + 1_000);
    check!(time::after(-1_000_000_000_000_000) < 0);
    Ok(())
}

fn random_bytes_differ(_: &World) -> Case {
    needs!(CprngDraw);
    let page = ok!(Scratch::new());
    // The call returns nothing.
    let _ = call(SyscallId::CprngDraw, &[page.address(), 600]);
    let pieces: [[u64; 4]; 2] = [page.get(0), page.get(568)];
    check!(pieces[0] != pieces[1]);
    check!(pieces.iter().flatten().all(|word| *word != 0));
    check_eq!(page.get::<u64>(600), 0);
    Ok(())
}
