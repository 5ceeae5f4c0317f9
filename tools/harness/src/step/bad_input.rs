//! Broken parts: each guest must say one clear line that names the thing, and end as a person would expect.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use regex::Regex;
use zbi_tool::bootfs;
use zbi_tool::image::Writer;
use zbi_tool::item_type::ItemType;
use zx_abi::zbi::ZBI_FLAG_STORAGE_COMPRESSED;

use crate::guest::{Guest, Parts, END_LIMIT};
use crate::place::Place;
use crate::report::{Outcome, Report};

/// The longest that a guest may take to say its line.
const LIMIT: Duration = Duration::from_secs(30);
/// What the shell shows when it waits for a command.
const PROMPT: &str = r"\nzcore\$ ";
/// Bytes of a file in a boot image that does not fit into the memory of its guest.
const LARGE_FILE: usize = 48 << 20;
const SHELL: &str = "userboot=bin/shell";

/// How the guest must go on after the line.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum End {
    /// The run ends by itself with exit code 1.
    Fails,
    /// The prompt comes, and `poweroff` ends the run with exit code 0.
    CarriesOn,
}

struct Case {
    name: &'static str,
    parts: Parts,
    /// The clear line; it names the thing.
    line: &'static str,
    end: End,
}

/// Makes the broken parts and boots each.
pub(crate) fn run(place: &Place, report: &mut Report) {
    report.check(
        "bad input: a foreign path that leads nowhere",
        refused(
            place,
            "ZBI=/no/such/image.zbi",
            "ZBI=/no/such/image.zbi: no such file",
            2,
        ),
    );
    report.check(
        "bad input: less memory than the firmware needs",
        refused(place, "MEM=43", "MEM=43: too little memory", 2),
    );
    match cases(place) {
        Ok(cases) => {
            for case in cases {
                let result = play(place, &case);
                report.check(&format!("bad input: {}", case.name), result);
            }
        }
        Err(what) => report.add("bad input", Outcome::Failed(what)),
    }
}

fn cases(place: &Place) -> Result<Vec<Case>, String> {
    let broken = Broken::new(place)?;
    let own = |words: &str| Parts::own(place, words);
    let fails = |name, parts, line| Case {
        name,
        parts,
        line,
        end: End::Fails,
    };
    let carries_on = |name, parts, line| Case {
        name,
        parts,
        line,
        end: End::CarriesOn,
    };
    let missing_program = "userboot=bin/no-such-program";
    Ok(vec![
        fails(
            "no ZBI",
            own(SHELL).without("boot.zbi"),
            r"rboot: .*boot\.zbi",
        ),
        fails(
            "no kernel",
            own(SHELL).without("zcore.elf"),
            r"rboot: .*zcore\.elf",
        ),
        fails(
            "no vDSO",
            own(SHELL).without("vdso.so"),
            r"rboot: .*vdso\.so",
        ),
        fails(
            "no userboot",
            own(SHELL).without("userboot.so"),
            r"rboot: .*userboot\.so",
        ),
        fails(
            "no rboot.conf",
            own(SHELL).without("rboot.conf"),
            r"rboot: .*rboot\.conf",
        ),
        fails(
            "a ZBI cut in half",
            own(SHELL).zbi(broken.cut()?),
            r"rboot: .*boot\.zbi.*(cut|trunc|short|end)",
        ),
        fails(
            "a ZBI of noise",
            own(SHELL).zbi(broken.noise()?),
            r"rboot: .*boot\.zbi.*not a boot image",
        ),
        fails(
            "a ZBI with a wrong CRC",
            own(SHELL).zbi(broken.wrong_crc()?),
            r"(?i)rboot: .*boot\.zbi.*crc",
        ),
        fails(
            "a ZBI without BOOTFS",
            own(SHELL).zbi(broken.no_bootfs()?),
            r"(?i)(userboot|boot failed): .*bootfs",
        ),
        fails(
            "a BOOTFS of unknown compression",
            own(SHELL).zbi(broken.compression()?),
            r"(?i)(userboot|boot failed): .*compress",
        ),
        fails(
            "userboot= names nothing",
            own(missing_program),
            r"userboot: .*bin/no-such-program",
        ),
        fails(
            "userboot= names no ELF",
            own("userboot=data/text").zbi(broken.with_text()?),
            r"userboot: .*(data/text.*ELF|ELF.*data/text)",
        ),
        fails(
            "a vDSO of noise",
            own(SHELL).vdso(broken.noise()?),
            r"(?i)boot failed: .*vdso",
        ),
        fails(
            "a vDSO that is another program",
            own(SHELL).vdso(place.out().join("bin/hello")),
            r"(?i)boot failed: .*vdso",
        ),
        fails(
            "a userboot of noise",
            own(SHELL).userboot(broken.noise()?),
            r"boot failed: .*userboot",
        ),
        fails(
            "a kernel of noise",
            own(SHELL).kernel(broken.noise()?),
            r"rboot: .*zcore\.elf",
        ),
        carries_on("64 MiB of memory", own(SHELL).memory_mib(64), PROMPT),
        fails(
            "a boot image larger than the memory",
            own(SHELL).zbi(broken.large()?).memory_mib(64),
            r"(rboot|boot failed|userboot): .*memory",
        ),
        carries_on(
            "an unknown word on the command line",
            own("userboot=bin/shell frobnicate=7 xyzzy"),
            PROMPT,
        ),
    ])
}

fn play(place: &Place, case: &Case) -> Result<(), String> {
    let line = Regex::new(case.line).map_err(|e| e.to_string())?;
    let mut guest = Guest::start(place, &format!("bad-input-{}", case.name), &case.parts)?;
    guest.expect(&line, LIMIT)?;
    if case.end == End::CarriesOn {
        guest.send("poweroff")?;
    }
    let code = guest.end(END_LIMIT)?;
    match (case.end, code) {
        (End::Fails, 1) | (End::CarriesOn, 0) => Ok(()),
        (_, code) => Err(format!(
            "the line came, but the run ended with exit code {code}"
        )),
    }
}

/// `make run` with a variable that cannot be: one line of explanation, exit code 2, no guest.
fn refused(place: &Place, variable: &str, line: &str, code: i32) -> Result<(), String> {
    let make = std::env::var_os("MAKE").unwrap_or_else(|| "make".into());
    let output = Command::new(make)
        .current_dir(&place.root)
        .args(["--no-print-directory", "run", variable])
        .env("TARGET", &place.target)
        .env("MODE", &place.mode)
        .env_remove("MAKEFLAGS")
        .output()
        .map_err(|e| format!("make: {e}"))?;
    let said = String::from_utf8_lossy(&output.stderr);
    // Make adds a line of its own when a recipe fails.
    let lines: Vec<_> = said.lines().filter(|l| !l.contains("[Makefile:")).collect();
    match (output.status.code(), lines.as_slice()) {
        (Some(found), [only]) if found == code && only.contains(line) => Ok(()),
        (found, _) => Err(format!("exit code {found:?}: {}", said.trim())),
    }
}

/// Makes broken images out of the project's own.
struct Broken {
    sound: Vec<u8>,
    directory: PathBuf,
}

impl Broken {
    fn new(place: &Place) -> Result<Self, String> {
        let image = place.out().join("zcore.zbi");
        let sound = std::fs::read(&image).map_err(|e| format!("{}: {e}", image.display()))?;
        Ok(Self {
            sound,
            directory: place.logs().join("broken-parts"),
        })
    }

    fn cut(&self) -> Result<PathBuf, String> {
        self.keep("cut.zbi", &self.sound[..self.sound.len() / 2])
    }

    fn noise(&self) -> Result<PathBuf, String> {
        let mut state = 7u32;
        let mut noise = vec![0; 100_000];
        for byte in &mut noise {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            *byte = state.to_le_bytes()[3];
        }
        self.keep("noise.bin", &noise)
    }

    /// One bit of the last file flipped; sizes and words stay as they were.
    fn wrong_crc(&self) -> Result<PathBuf, String> {
        let mut data = self.sound.clone();
        if let Some(byte) = data.iter_mut().rev().find(|byte| **byte != 0) {
            *byte ^= 0x10;
        }
        self.keep("wrong-crc.zbi", &data)
    }

    fn no_bootfs(&self) -> Result<PathBuf, String> {
        self.image(
            "no-bootfs.zbi",
            ItemType::CMDLINE,
            0,
            0,
            b"no.bootfs=here\0",
        )
    }

    fn compression(&self) -> Result<PathBuf, String> {
        let payload = b"XYZWthis is no frame of any kind";
        self.image(
            "compression.zbi",
            ItemType::BOOTFS,
            65_536,
            ZBI_FLAG_STORAGE_COMPRESSED,
            payload,
        )
    }

    fn with_text(&self) -> Result<PathBuf, String> {
        let files = [("data/text", &b"a text is no program\n"[..])];
        let plain = bootfs::build(files.into_iter()).map_err(|e| e.to_string())?;
        let size = u32::try_from(plain.len()).map_err(|e| e.to_string())?;
        self.image("text.zbi", ItemType::BOOTFS, size, 0, &plain)
    }

    fn large(&self) -> Result<PathBuf, String> {
        let data = vec![0x5a; LARGE_FILE];
        let plain = bootfs::build([("data/large", data.as_slice())].into_iter())
            .map_err(|e| e.to_string())?;
        let size = u32::try_from(plain.len()).map_err(|e| e.to_string())?;
        self.image("large.zbi", ItemType::BOOTFS, size, 0, &plain)
    }

    fn image(
        &self,
        name: &str,
        item: ItemType,
        extra: u32,
        flags: u32,
        payload: &[u8],
    ) -> Result<PathBuf, String> {
        let mut writer = Writer::new();
        writer
            .push(item, extra, flags, payload)
            .map_err(|e| e.to_string())?;
        self.keep(name, &writer.finish().map_err(|e| e.to_string())?)
    }

    fn keep(&self, name: &str, data: &[u8]) -> Result<PathBuf, String> {
        let path: PathBuf = Path::new(&self.directory).join(name);
        let written =
            std::fs::create_dir_all(&self.directory).and_then(|()| std::fs::write(&path, data));
        written
            .map(|()| path.clone())
            .map_err(|e| format!("{}: {e}", path.display()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_case_has_a_pattern_that_can_be_read() {
        let directory =
            std::env::temp_dir().join(format!("harness-bad-input-{}", std::process::id()));
        let place = Place {
            root: directory.clone(),
            target: directory.clone(),
            mode: "release".to_owned(),
        };
        std::fs::create_dir_all(place.out()).unwrap();
        std::fs::write(
            place.out().join("zcore.zbi"),
            Writer::new().finish().unwrap(),
        )
        .unwrap();
        for case in cases(&place).unwrap() {
            assert!(Regex::new(case.line).is_ok(), "{}", case.name);
        }
        std::fs::remove_dir_all(directory).unwrap();
    }
}
