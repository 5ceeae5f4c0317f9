//! One guest in QEMU: its parts, its console, and how it ended.

use std::ffi::OsStr;
use std::io::{Read, Write};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::time::{Duration, Instant};

use regex::Regex;

use crate::place::Place;
use crate::process;
use crate::text;

/// The longest that a guest may take to end once it was told to.
pub(crate) const END_LIMIT: Duration = Duration::from_secs(20);

/// What a guest is started with: the project's own parts, unless replaced.
#[derive(Clone, Debug)]
pub(crate) struct Parts {
    kernel: PathBuf,
    userboot: PathBuf,
    vdso: PathBuf,
    zbi: PathBuf,
    /// The program that unpacks BOOTFS, for a userboot that does not do so itself.
    decompress: Option<PathBuf>,
    command_line: String,
    memory_mib: u32,
    /// Files to take out of the ESP after it was filled.
    removed: Vec<&'static str>,
    qemu_arguments: Vec<String>,
}

impl Parts {
    /// The project's own, with a command line.
    pub(crate) fn own(place: &Place, command_line: &str) -> Self {
        let out = place.out();
        Self {
            kernel: out.join("zcore.elf"),
            userboot: out.join("userboot.so"),
            vdso: out.join("libzircon.so"),
            zbi: out.join("zcore.zbi"),
            decompress: None,
            command_line: command_line.to_owned(),
            memory_mib: 512,
            removed: Vec::new(),
            qemu_arguments: Vec::new(),
        }
    }

    pub(crate) fn kernel(self, kernel: PathBuf) -> Self {
        Self { kernel, ..self }
    }

    pub(crate) fn zbi(self, zbi: PathBuf) -> Self {
        Self { zbi, ..self }
    }

    pub(crate) fn userboot(self, userboot: PathBuf) -> Self {
        Self { userboot, ..self }
    }

    pub(crate) fn vdso(self, vdso: PathBuf) -> Self {
        Self { vdso, ..self }
    }

    pub(crate) fn decompress(self, decompress: PathBuf) -> Self {
        let decompress = Some(decompress);
        Self { decompress, ..self }
    }

    pub(crate) fn memory_mib(self, memory_mib: u32) -> Self {
        Self { memory_mib, ..self }
    }

    /// Takes a file out of the ESP, although rboot.conf names it.
    pub(crate) fn without(mut self, file: &'static str) -> Self {
        self.removed.push(file);
        self
    }

    pub(crate) fn qemu(mut self, arguments: &[&str]) -> Self {
        self.qemu_arguments
            .extend(arguments.iter().map(|a| (*a).to_owned()));
        self
    }

    fn fill_esp(&self, place: &Place, esp: &Path) -> Result<(), String> {
        let part = |key: &str, path: &Path| format!("{key}={}", path.display());
        let mut command = Command::new(place.root.join("scripts/esp"));
        command.arg(esp).args([
            part("loader", &place.out().join("rboot.efi")),
            part("kernel", &self.kernel),
            part("userboot", &self.userboot),
            part("vdso", &self.vdso),
            part("zbi", &self.zbi),
            format!("cmdline={}", self.command_line),
        ]);
        if let Some(path) = &self.decompress {
            command.arg(part("decompress", path));
        }
        let output = command.output().map_err(|e| format!("scripts/esp: {e}"))?;
        if !output.status.success() {
            return Err(format!(
                "scripts/esp: {}",
                text::plain(&output.stderr).trim()
            ));
        }
        for file in &self.removed {
            std::fs::remove_file(esp.join(file)).map_err(|e| format!("{file}: {e}"))?;
        }
        Ok(())
    }
}

/// A running guest.
#[derive(Debug)]
pub(crate) struct Guest {
    child: Child,
    input: Option<ChildStdin>,
    console: Arc<Console>,
    /// How much of the console earlier expectations have used up, in bytes of plain text.
    read_to: usize,
    /// The directory that the guest booted from, which goes with it.
    esp: Option<PathBuf>,
}

#[derive(Default, Debug)]
struct Console {
    seen: Mutex<Seen>,
    changed: Condvar,
}

#[derive(Default, Debug)]
struct Seen {
    bytes: Vec<u8>,
    ended: bool,
}

impl Guest {
    /// Fills an ESP and starts QEMU on it; the console goes to the step's log as well.
    pub(crate) fn start(place: &Place, name: &str, parts: &Parts) -> Result<Self, String> {
        let log = place.log(name);
        let esp = log.with_extension("esp");
        if esp.exists() {
            std::fs::remove_dir_all(&esp).map_err(|e| format!("{}: {e}", esp.display()))?;
        }
        parts.fill_esp(place, &esp)?;
        let mut command = Command::new(place.root.join("scripts/qemu"));
        command
            .arg(&esp)
            .args(&parts.qemu_arguments)
            .env("TARGET", &place.target)
            .env("MEM", parts.memory_mib.to_string())
            .env("NO_REBOOT", "1");
        let mut guest = Self::run(&mut command, &log)?;
        guest.esp = Some(esp);
        Ok(guest)
    }

    /// Starts whatever `shell` says, a line for `sh`, with these variables set; its standard streams are the console.
    pub(crate) fn start_by(
        place: &Place,
        name: &str,
        shell: &str,
        variables: &[(&str, &OsStr)],
    ) -> Result<Self, String> {
        let mut command = Command::new("sh");
        command.args(["-c", shell]).envs(variables.iter().copied());
        Self::run(&mut command, &place.log(name))
    }

    fn run(command: &mut Command, log: &Path) -> Result<Self, String> {
        let log_file = std::fs::File::create(log).map_err(|e| format!("{}: {e}", log.display()))?;
        let errors = log_file.try_clone().map_err(|e| e.to_string())?;
        let mut child = command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(errors)
            .process_group(0)
            .spawn()
            .map_err(|e| format!("{}: {e}", command.get_program().to_string_lossy()))?;
        let console = Arc::new(Console::default());
        if let Some(output) = child.stdout.take() {
            let console = Arc::clone(&console);
            std::thread::spawn(move || console.follow(output, log_file));
        }
        let input = child.stdin.take();
        Ok(Self {
            child,
            input,
            console,
            read_to: 0,
            esp: None,
        })
    }

    /// Waits until the console shows `pattern` after what was expected before; gives what fits it.
    pub(crate) fn expect(&mut self, pattern: &Regex, limit: Duration) -> Result<String, String> {
        let text = self.read_to(pattern, limit)?;
        // What fits is the end of it.
        let start = pattern.find(&text).map_or(0, |found| found.start());
        Ok(text.get(start..).unwrap_or("").to_owned())
    }

    /// As [`Self::expect`], but gives all of the text from where the last expectation ended to the end of what fits.
    pub(crate) fn read_to(&mut self, pattern: &Regex, limit: Duration) -> Result<String, String> {
        let deadline = Instant::now() + limit;
        let mut seen = self.console.lock();
        loop {
            let all = text::plain(&seen.bytes);
            let fresh = all.get(self.read_to..).unwrap_or("");
            if let Some(found) = pattern.find(fresh) {
                self.read_to += found.end();
                return Ok(fresh.get(..found.end()).unwrap_or("").to_owned());
            }
            let left = deadline.saturating_duration_since(Instant::now());
            let why = match (seen.ended, left.is_zero()) {
                (true, _) => "the guest ended".to_owned(),
                (false, true) => format!("not within {} s", limit.as_secs()),
                (false, false) => {
                    let waited = self
                        .console
                        .changed
                        .wait_timeout(seen, left.min(Duration::from_millis(500)));
                    seen = waited.unwrap_or_else(PoisonError::into_inner).0;
                    continue;
                }
            };
            let last = text::last_line(fresh);
            return Err(format!("waiting for /{pattern}/: {why}; last line: {last}"));
        }
    }

    /// What the console has shown since the last expectation.
    pub(crate) fn unread(&self) -> String {
        let all = text::plain(&self.console.lock().bytes);
        all.get(self.read_to..).unwrap_or("").to_owned()
    }

    /// Types a line.
    pub(crate) fn send(&mut self, line: &str) -> Result<(), String> {
        self.type_keys(format!("{line}\r").as_bytes())
            .map_err(|what| format!("typing '{line}': {what}"))
    }

    /// Types keys.
    pub(crate) fn type_keys(&mut self, keys: &[u8]) -> Result<(), String> {
        let input = self.input.as_mut().ok_or("the guest has no input")?;
        input
            .write_all(keys)
            .and_then(|()| input.flush())
            .map_err(|e| e.to_string())
    }

    /// Everything the console has shown.
    pub(crate) fn console(&self) -> String {
        text::plain(&self.console.lock().bytes)
    }

    /// Waits for the end; the exit code is that of `scripts/qemu`: 0 for a good end.
    pub(crate) fn end(&mut self, limit: Duration) -> Result<i32, String> {
        let status = process::wait(&mut self.child, limit)?;
        let status =
            status.ok_or_else(|| format!("the guest did not end within {} s", limit.as_secs()))?;
        Ok(status.code().unwrap_or(-1))
    }
}

impl Drop for Guest {
    fn drop(&mut self) {
        if let Ok(None) = self.child.try_wait() {
            process::kill_group(&mut self.child);
        }
        // The log stays; the copies of kernel and image do not.
        if let Some(esp) = &self.esp {
            let _ = std::fs::remove_dir_all(esp);
        }
    }
}

impl Console {
    fn lock(&self) -> std::sync::MutexGuard<'_, Seen> {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn follow(&self, mut output: impl Read, mut log: impl Write) {
        let mut buffer = [0; 4096];
        while let Ok(count) = output.read(&mut buffer) {
            let fresh = &buffer[..count];
            if let Err(e) = log.write_all(fresh) {
                eprintln!("harness: console log: {e}");
            }
            let mut seen = self.lock();
            seen.bytes.extend_from_slice(fresh);
            seen.ended = count == 0;
            self.changed.notify_all();
            if count == 0 {
                return;
            }
        }
        self.lock().ended = true;
        self.changed.notify_all();
    }
}
