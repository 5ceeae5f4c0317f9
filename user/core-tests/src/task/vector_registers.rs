//! Floating point and vector registers of stopped threads.

use libzx::{AsHandle, Signals};
use mini_process::{Code, MiniProcess};
use zx_abi::info::RETCODE_EXCEPTION_KILL;
use zx_abi::thread_state::{FpRegs, ThreadStateKind, VectorRegs};

use super::subject::{counting, mini, standing, stop};
use crate::check::{check, check_eq, fails, home_only, ok, skip, suite, Case, Outcome};
use crate::world::{sleep_ms, soon, World};

suite! {
    "VectorRegisters":
    the_stack_of_the_floating_point_unit_is_read,
    the_stack_of_the_floating_point_unit_is_written,
    control_words_are_read_and_written,
    sixteen_registers_of_sixteen_bytes_are_read,
    sixteen_registers_of_sixteen_bytes_are_written,
    the_upper_halves_are_read,
    the_upper_halves_are_written,
    what_the_cpu_lacks_reads_as_zero,
    what_the_cpu_lacks_is_ignored_when_written,
    bad_control_bits_are_refused,
    a_fresh_thread_has_clean_ones,
    threads_do_not_see_each_others,
    a_new_thread_has_none_of_one_that_ended,
    they_survive_suspension,
    running_and_unstarted_threads_have_none,
}

const FP: ThreadStateKind = ThreadStateKind::FpRegs;
const VECTOR: ThreadStateKind = ThreadStateKind::VectorRegs;

/// Starts the code, waits until word 0 is 1, and stops it.
fn after(world: &World, code: &Code) -> Result<(MiniProcess, libzx::Handle), Outcome> {
    let mini = mini(world, code)?;
    for word in 64..128 {
        ok!(mini.set_word(word, pattern(word)));
    }
    ok!(mini.start());
    ok!(mini.wait_for_word(0, 1));
    let token = stop(&mini.thread)?;
    Ok((mini, token))
}

fn pattern(word: usize) -> u64 {
    0x1111_2222_3333_0000 * (word as u64 % 5 + 1) + word as u64
}

/// pi and 1 as the unit has them: mantissa, then sign and exponent.
const PI: [u64; 2] = [0xc90f_daa2_2168_c235, 0x4000];
const ONE: [u64; 2] = [0x8000_0000_0000_0000, 0x3fff];

fn the_stack_of_the_floating_point_unit_is_read(world: &World) -> Case {
    let mut code = Code::new();
    // fninit; fld1; fldpi
    code.bytes(&[0xdb, 0xe3, 0xd9, 0xe8, 0xd9, 0xeb])
        .increment(0);
    code.spin();
    let (mini, _token) = after(world, &code)?;
    let regs: FpRegs = ok!(mini.thread.read_state(FP));
    check_eq!([regs.st[0], regs.st[1]], [PI, ONE]);
    check_eq!((regs.fcw, regs.ftw), (0x37f, 0xc0));
    Ok(())
}

fn the_stack_of_the_floating_point_unit_is_written(world: &World) -> Case {
    let mut code = Code::new();
    code.increment(0).wait_for(1);
    // fstp tbyte [word 10]; fstp tbyte [word 12]
    code.on_word(&[0xdb, 0x3d], 10)
        .on_word(&[0xdb, 0x3d], 12)
        .increment(2);
    code.spin();
    let (mini, token) = after(world, &code)?;
    let mut regs: FpRegs = ok!(mini.thread.read_state(FP));
    (regs.st[0], regs.st[1]) = (ONE, PI);
    // Two on the stack: the top is register 6.
    regs.fsw = 6 << 11;
    regs.ftw = 0xc0;
    ok!(mini.thread.write_state(FP, &regs));
    let back: FpRegs = ok!(mini.thread.read_state(FP));
    check_eq!([back.st[0], back.st[1]], [ONE, PI]);
    ok!(mini.set_word(1, 1));
    drop(token);
    ok!(mini.wait_for_word(2, 1));
    check_eq!([ok!(mini.word(10)), ok!(mini.word(11)) & 0xffff], ONE);
    check_eq!([ok!(mini.word(12)), ok!(mini.word(13)) & 0xffff], PI);
    Ok(())
}

fn control_words_are_read_and_written(world: &World) -> Case {
    let mut code = Code::new();
    code.increment(0).wait_for(1);
    // fnstcw [word 10]; stmxcsr [word 11]
    code.on_word(&[0xd9, 0x3d], 10)
        .on_word(&[0x0f, 0xae, 0x1d], 11)
        .increment(2);
    code.spin();
    let (mini, token) = after(world, &code)?;
    let mut fp: FpRegs = ok!(mini.thread.read_state(FP));
    let mut vector: VectorRegs = ok!(mini.thread.read_state(VECTOR));
    check_eq!((fp.fcw, vector.mxcsr), (0x37f, 0x1f80));
    // Both round towards zero.
    fp.fcw = 0xf7f;
    vector.mxcsr = 0x7f80;
    ok!(mini.thread.write_state(FP, &fp));
    ok!(mini.thread.write_state(VECTOR, &vector));
    ok!(mini.set_word(1, 1));
    drop(token);
    ok!(mini.wait_for_word(2, 1));
    check_eq!(ok!(mini.word(10)) & 0xffff, 0xf7f);
    check_eq!(ok!(mini.word(11)) & 0xffff_ffff, 0x7f80);
    Ok(())
}

/// The bytes of `movdqu` between register `number` and memory, up to ModRM; 6F loads, 7F stores.
fn sse(operation: u8, number: u8) -> [u8; 5] {
    let prefix = if number > 7 { 0x44 } else { 0x40 };
    [0xf3, prefix, 0x0f, operation, (number & 7) << 3 | 5]
}

/// The bytes of `vmovdqu` with 32 bytes.
fn avx(operation: u8, number: u8) -> [u8; 4] {
    let prefix = if number > 7 { 0x7e } else { 0xfe };
    [0xc5, prefix, operation, (number & 7) << 3 | 5]
}

fn sixteen_registers_of_sixteen_bytes_are_read(world: &World) -> Case {
    let mut code = Code::new();
    for number in 0..16 {
        code.on_word(&sse(0x6f, number), 64 + usize::from(number) * 2);
    }
    code.increment(0);
    code.spin();
    let (mini, _token) = after(world, &code)?;
    let regs: VectorRegs = ok!(mini.thread.read_state(VECTOR));
    for number in 0..16 {
        let word = 64 + number * 2;
        check_eq!(regs.zmm[number][..2], [pattern(word), pattern(word + 1)]);
    }
    Ok(())
}

fn sixteen_registers_of_sixteen_bytes_are_written(world: &World) -> Case {
    let mut code = Code::new();
    code.increment(0).wait_for(1);
    for number in 0..16 {
        code.on_word(&sse(0x7f, number), 128 + usize::from(number) * 2);
    }
    code.increment(2);
    code.spin();
    let (mini, token) = after(world, &code)?;
    let mut regs: VectorRegs = ok!(mini.thread.read_state(VECTOR));
    for number in 0..16 {
        regs.zmm[number][..2].copy_from_slice(&[pattern(number), !pattern(number)]);
    }
    ok!(mini.thread.write_state(VECTOR, &regs));
    ok!(mini.set_word(1, 1));
    drop(token);
    ok!(mini.wait_for_word(2, 1));
    for number in 0..16 {
        let word = 128 + number * 2;
        let found = [ok!(mini.word(word)), ok!(mini.word(word + 1))];
        check_eq!(found, [pattern(number), !pattern(number)]);
    }
    Ok(())
}

/// Skips unless registers of 32 bytes work: a process tries.
fn needs_avx(world: &World) -> Case {
    let mut code = Code::new();
    code.on_word(&avx(0x6f, 0), 64).increment(0);
    code.spin();
    let mini = mini(world, &code)?;
    ok!(mini.start());
    let ended = || -> libzx::ZxResult<bool> { Ok(mini.process.info()?.exited == 1) };
    while ok!(mini.word(0)) == 0 {
        if ok!(ended()) {
            check_eq!(ok!(mini.process.info()).return_code, RETCODE_EXCEPTION_KILL);
            skip!("this CPU has no AVX");
        }
        sleep_ms(1);
    }
    Ok(())
}

fn the_upper_halves_are_read(world: &World) -> Case {
    needs_avx(world)?;
    let mut code = Code::new();
    for number in 0..16 {
        code.on_word(&avx(0x6f, number), 64 + usize::from(number) * 4);
    }
    code.increment(0);
    code.spin();
    let (mini, _token) = after(world, &code)?;
    let regs: VectorRegs = ok!(mini.thread.read_state(VECTOR));
    for number in 0..16 {
        for part in 0..4 {
            check_eq!(regs.zmm[number][part], pattern(64 + number * 4 + part));
        }
    }
    Ok(())
}

fn the_upper_halves_are_written(world: &World) -> Case {
    needs_avx(world)?;
    let mut code = Code::new();
    code.increment(0).wait_for(1);
    for number in 0..16 {
        code.on_word(&avx(0x7f, number), 128 + usize::from(number) * 4);
    }
    code.increment(2);
    code.spin();
    let (mini, token) = after(world, &code)?;
    let mut regs: VectorRegs = ok!(mini.thread.read_state(VECTOR));
    for number in 0..16 {
        for part in 0..4 {
            regs.zmm[number][part] = pattern(number * 4 + part);
        }
    }
    ok!(mini.thread.write_state(VECTOR, &regs));
    ok!(mini.set_word(1, 1));
    drop(token);
    ok!(mini.wait_for_word(2, 1));
    for word in 0..64 {
        check_eq!(ok!(mini.word(128 + word)), pattern(word));
    }
    Ok(())
}

/// Whether the CPU has registers of 64 bytes: then the upper sixteen keep what is written.
fn has_avx512(mini: &MiniProcess) -> Result<bool, Outcome> {
    let mut regs: VectorRegs = ok!(mini.thread.read_state(VECTOR));
    regs.zmm[31][7] = 1;
    ok!(mini.thread.write_state(VECTOR, &regs));
    let back: VectorRegs = ok!(mini.thread.read_state(VECTOR));
    Ok(back.zmm[31][7] == 1)
}

fn what_the_cpu_lacks_reads_as_zero(world: &World) -> Case {
    let (mini, _token) = standing(world)?;
    if has_avx512(&mini)? {
        skip!("this CPU lacks nothing");
    }
    let regs: VectorRegs = ok!(mini.thread.read_state(VECTOR));
    for number in 0..32 {
        check_eq!(regs.zmm[number][4..], [0; 4]);
    }
    check_eq!(regs.opmask, [0; 8]);
    Ok(())
}

fn what_the_cpu_lacks_is_ignored_when_written(world: &World) -> Case {
    let (mini, _token) = standing(world)?;
    if has_avx512(&mini)? {
        skip!("this CPU lacks nothing");
    }
    let mut regs: VectorRegs = ok!(mini.thread.read_state(VECTOR));
    regs.zmm[3][0] = 33;
    for number in 16..32 {
        regs.zmm[number] = [u64::MAX; 8];
    }
    regs.opmask = [u64::MAX; 8];
    ok!(mini.thread.write_state(VECTOR, &regs));
    let back: VectorRegs = ok!(mini.thread.read_state(VECTOR));
    check_eq!(back.zmm[3][0], 33);
    check_eq!(back.zmm[16..], [[0; 8]; 16]);
    check_eq!(back.opmask, [0; 8]);
    Ok(())
}

fn bad_control_bits_are_refused(world: &World) -> Case {
    home_only!(world);
    let (mini, _token) = standing(world)?;
    let mut regs: VectorRegs = ok!(mini.thread.read_state(VECTOR));
    for bad in [0x1_0000, u32::MAX] {
        regs.mxcsr = bad;
        fails!(mini.thread.write_state(VECTOR, &regs), InvalidArgs);
    }
    let back: VectorRegs = ok!(mini.thread.read_state(VECTOR));
    check_eq!(back.mxcsr, 0x1f80);
    Ok(())
}

fn a_fresh_thread_has_clean_ones(world: &World) -> Case {
    let (mini, _token) = standing(world)?;
    let fp: FpRegs = ok!(mini.thread.read_state(FP));
    check_eq!((fp.fcw, fp.fsw, fp.ftw), (0x37f, 0, 0));
    check_eq!(fp.st, [[0; 2]; 8]);
    let vector: VectorRegs = ok!(mini.thread.read_state(VECTOR));
    check_eq!(vector.mxcsr, 0x1f80);
    check!(vector.zmm.iter().all(|register| *register == [0; 8]));
    Ok(())
}

fn threads_do_not_see_each_others(world: &World) -> Case {
    let mut code = Code::new();
    // Each thread: xmm1 from its own word, then writes it back for ever.
    for number in 0..2 {
        code.on_word(&[0xf3, 0x0f, 0x7e, 0x0d], 64 + number);
        let start = code.here();
        // movq [word], xmm1
        code.on_word(&[0x66, 0x0f, 0xd6, 0x0d], 32 + number)
            .increment(number)
            .jump(start);
    }
    let mini = mini(world, &code)?;
    for word in 64..66 {
        ok!(mini.set_word(word, pattern(word)));
    }
    ok!(mini.start());
    // movq (8), movq (8), inc (7), jmp (5)
    let _other = ok!(mini.add_thread(mini_process::CODE + 28, 1));
    for word in 0..2 {
        ok!(mini.wait_until(word, |count| count > 0));
    }
    for _ in 0..10 {
        sleep_ms(3);
        check_eq!(ok!(mini.word(32)), pattern(64));
        check_eq!(ok!(mini.word(33)), pattern(65));
    }
    Ok(())
}

fn a_new_thread_has_none_of_one_that_ended(world: &World) -> Case {
    let mut before = Code::new();
    for number in 0..16 {
        before.on_word(&sse(0x6f, number), 64 + usize::from(number) * 2);
    }
    // fninit; fld1; fldpi
    before
        .bytes(&[0xdb, 0xe3, 0xd9, 0xe8, 0xd9, 0xeb])
        .increment(0);
    before.spin();
    let mut afterwards = Code::new();
    for number in 0..16 {
        afterwards.on_word(&sse(0x7f, number), 64 + usize::from(number) * 2);
    }
    afterwards.increment(0);
    afterwards.spin();
    for _ in 0..4 {
        let (old, token) = after(world, &before)?;
        ok!(old.process.kill());
        ok!(old.thread.wait_one(Signals::TASK_TERMINATED, soon()));
        drop((old, token));
        let new = mini(world, &afterwards)?;
        for word in 64..96 {
            ok!(new.set_word(word, pattern(word)));
        }
        ok!(new.start());
        ok!(new.wait_for_word(0, 1));
        for word in 64..96 {
            check_eq!(ok!(new.word(word)), 0);
        }
        let _token = stop(&new.thread)?;
        let fp: FpRegs = ok!(new.thread.read_state(FP));
        check_eq!((fp.fcw, fp.fsw, fp.ftw), (0x37f, 0, 0));
        check_eq!(fp.st, [[0; 2]; 8]);
        let vector: VectorRegs = ok!(new.thread.read_state(VECTOR));
        check!(vector.zmm.iter().all(|register| *register == [0; 8]));
    }
    Ok(())
}

fn they_survive_suspension(world: &World) -> Case {
    let mut code = Code::new();
    code.on_word(&sse(0x6f, 9), 70);
    let start = code.here();
    code.on_word(&sse(0x7f, 9), 20).increment(0).jump(start);
    let mini = mini(world, &code)?;
    for word in 70..72 {
        ok!(mini.set_word(word, pattern(word)));
    }
    ok!(mini.start());
    for _ in 0..10 {
        let token = stop(&mini.thread)?;
        ok!(mini.set_word(20, 0));
        drop(token);
        ok!(mini.wait_for_word(20, pattern(70)));
    }
    Ok(())
}

fn running_and_unstarted_threads_have_none(world: &World) -> Case {
    let running = counting(world)?;
    let unstarted = mini(world, &Code::new())?;
    for thread in [&running.thread, &unstarted.thread] {
        fails!(thread.read_state::<FpRegs>(FP), BadState);
        fails!(thread.write_state(FP, &FpRegs::default()), BadState);
        fails!(thread.read_state::<VectorRegs>(VECTOR), BadState);
        let regs = VectorRegs {
            mxcsr: 0x1f80,
            ..VectorRegs::default()
        };
        fails!(thread.write_state(VECTOR, &regs), BadState);
    }
    Ok(())
}
