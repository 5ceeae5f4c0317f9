//! `conformance/syscalls.txt` must say what the code says: it is generated again and compared.

use crate::place::Place;
use crate::report::Report;
use crate::step::make;

/// Runs the make target that compares the ledger with the code.
pub(crate) fn syscalls(place: &Place, report: &mut Report) {
    make::check(place, "conformance-check", report);
}
