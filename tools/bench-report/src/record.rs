//! A record: what one run measured, and where.

use std::fmt;
use std::fmt::Write as _;
use std::path::Path;

use serde::{Deserialize, Serialize};

use crate::Failure;

/// The first word of every record, so that nobody takes another file for one.
const FORMAT: &str = "zcore-bench-1";

/// What the cost of a row mostly is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Kind {
    /// Decisions: compared by counted instructions.
    Control,
    /// Bytes moved: emulators count string instructions by the round, so these are compared by time.
    Copying,
}

/// How a run was timed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Mode {
    /// Guest instructions, exactly.
    Icount,
    /// Nanoseconds of the host.
    Wall,
}

impl Mode {
    pub(crate) const fn unit(self) -> &'static str {
        match self {
            Self::Icount => "instructions",
            Self::Wall => "ns",
        }
    }
}

/// What the samples of a row say; instructions, or nanoseconds.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Numbers {
    /// How many samples.
    pub(crate) samples: u64,
    /// The smallest.
    pub(crate) min: f64,
    /// The middle one.
    pub(crate) median: f64,
    /// The one that 95 of 100 do not exceed.
    pub(crate) p95: f64,
}

/// One operation.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Row {
    /// Its name.
    pub(crate) name: String,
    /// One sentence on what is measured.
    pub(crate) about: String,
    /// How it is compared.
    pub(crate) kind: Kind,
    /// Counted instructions.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) icount: Option<Numbers>,
    /// Time.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) wall: Option<Numbers>,
    /// Why there are no numbers.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) skipped: Option<String>,
}

impl Row {
    /// What was measured in a mode.
    pub(crate) const fn numbers(&self, mode: Mode) -> Option<Numbers> {
        match mode {
            Mode::Icount => self.icount,
            Mode::Wall => self.wall,
        }
    }

    /// The number to compare by: counts repeat, so their median is typical; time is disturbed by whatever else the host
    /// does, so its minimum is what comes closest to the cost.
    pub(crate) fn cost(&self, mode: Mode) -> Option<f64> {
        let numbers = self.numbers(mode)?;
        Some(match mode {
            Mode::Icount => numbers.median,
            Mode::Wall => numbers.min,
        })
    }
}

/// Where a record was made.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct Origin {
    /// Name and version of the kernel.
    pub(crate) kernel: String,
    /// The commit it was built from.
    pub(crate) commit: String,
    /// The ABI level of its vDSO.
    pub(crate) level: String,
    /// The host's processor.
    pub(crate) machine: String,
    /// The version of QEMU.
    pub(crate) qemu: String,
    /// Which modes were run.
    pub(crate) modes: Vec<String>,
    /// Instructions that reading the clock takes; subtracted.
    pub(crate) clock_cost_icount: Option<f64>,
    /// Nanoseconds that reading the clock takes; subtracted.
    pub(crate) clock_cost_wall: Option<f64>,
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{} ({}, level {}) on {}, {}",
            self.kernel, self.commit, self.level, self.machine, self.qemu
        )
    }
}

/// One run.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Record {
    /// [`FORMAT`].
    format: String,
    /// Where it was made.
    pub(crate) origin: Origin,
    /// The operations, in the order in which they were run.
    pub(crate) rows: Vec<Row>,
}

impl Record {
    pub(crate) fn new(origin: Origin, rows: Vec<Row>) -> Self {
        Self {
            format: FORMAT.to_owned(),
            origin,
            rows,
        }
    }

    /// Reads a file.
    pub(crate) fn read(path: &Path) -> Result<Self, Failure> {
        let text = read(path)?;
        let bad = |what: String| {
            Failure::Input(format!("{}: no benchmark record: {what}", path.display()))
        };
        let record: Self = serde_json::from_str(&text).map_err(|error| bad(error.to_string()))?;
        if record.format != FORMAT {
            return Err(bad(format!("format '{}', not '{FORMAT}'", record.format)));
        }
        if record.rows.is_empty() {
            return Err(bad("it has no rows".to_owned()));
        }
        Ok(record)
    }

    /// The row of this name.
    pub(crate) fn row(&self, name: &str) -> Option<&Row> {
        self.rows.iter().find(|row| row.name == name)
    }

    /// The text of the file: one line per row, so that differences are readable.
    pub(crate) fn to_json(&self) -> Result<String, Failure> {
        let broken = |error: serde_json::Error| Failure::Input(error.to_string());
        let origin = serde_json::to_string(&self.origin).map_err(broken)?;
        let mut text = format!("{{\"format\":\"{FORMAT}\",\n\"origin\":{origin},\n\"rows\":[\n");
        for (index, row) in self.rows.iter().enumerate() {
            let end = if index + 1 == self.rows.len() {
                ""
            } else {
                ","
            };
            let row = serde_json::to_string(row).map_err(broken)?;
            let _ = writeln!(text, "{row}{end}");
        }
        text.push_str("]}\n");
        Ok(text)
    }
}

/// Reads a text file.
pub(crate) fn read(path: &Path) -> Result<String, Failure> {
    let bytes = std::fs::read(path);
    let bytes = bytes.map_err(|error| Failure::Input(format!("{}: {error}", path.display())))?;
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}

/// Writes a text file, with the directories above it.
pub(crate) fn write(path: &Path, text: &str) -> Result<(), Failure> {
    if let Some(above) = path.parent() {
        let _ = std::fs::create_dir_all(above);
    }
    std::fs::write(path, text)
        .map_err(|error| Failure::Input(format!("{}: {error}", path.display())))
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    /// A row with the same number in each place.
    pub(crate) fn row(name: &str, kind: Kind, icount: f64, wall: f64) -> Row {
        let numbers = |value| Numbers {
            samples: 3,
            min: value,
            median: value,
            p95: value,
        };
        Row {
            name: name.to_owned(),
            about: "Does something.".to_owned(),
            kind,
            icount: Some(numbers(icount)),
            wall: Some(numbers(wall)),
            skipped: None,
        }
    }

    #[test]
    fn a_record_is_read_back_as_it_was_written() {
        let rows = vec![
            row("A/B", Kind::Control, 1.0, 2.5),
            row("C", Kind::Copying, 3.0, 4.0),
        ];
        let record = Record::new(Origin::default(), rows);
        let text = record.to_json().unwrap();
        assert_eq!(serde_json::from_str::<Record>(&text).unwrap(), record);
        assert_eq!(text.lines().count(), 6);
    }

    #[test]
    fn other_files_are_refused_by_name() {
        let place = std::env::temp_dir().join("bench-report-record-test.json");
        for text in ["", "{}", "{\"format\":\"x\",\"origin\":{},\"rows\":[]}"] {
            std::fs::write(&place, text).unwrap();
            let Err(Failure::Input(what)) = Record::read(&place) else {
                panic!("accepted: {text}");
            };
            assert!(what.contains("bench-report-record-test.json"), "{what}");
        }
        assert!(matches!(
            Record::read(Path::new("/nowhere")),
            Err(Failure::Input(_))
        ));
    }
}
