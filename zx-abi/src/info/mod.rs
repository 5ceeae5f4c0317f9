//! `object_get_info`: topics and the records they return.

mod kernel;
mod object;
mod task;
mod vm;

pub use kernel::*;
pub use object::*;
pub use task::*;
pub use vm::*;

use crate::exception::ExceptionReport;
use crate::wire::numbers;

numbers! {
    /// What `object_get_info` is asked for (`ZX_INFO_*`).
    InfoTopic: u32 {
        /// Nothing; only whether the handle is valid.
        HandleValid = 1,
        /// [`HandleBasicInfo`].
        HandleBasic = 2,
        /// [`ProcessInfo`].
        Process = 3,
        /// Koids of threads.
        ProcessThreads = 4,
        /// [`VmarInfo`].
        Vmar = 7,
        /// Koids of child jobs.
        JobChildren = 8,
        /// Koids of processes.
        JobProcesses = 9,
        /// [`ThreadInfo`].
        Thread = 10,
        /// [`ExceptionReport`].
        ThreadExceptionReport = 11,
        /// [`TaskStatsInfo`].
        TaskStats = 12,
        /// [`MapsInfo`] each.
        ProcessMaps = 13,
        /// [`VmoInfo`] each.
        ProcessVmos = 14,
        /// [`ThreadStatsInfo`].
        ThreadStats = 15,
        /// [`CpuStatsInfo`] each.
        CpuStats = 16,
        /// [`KmemStatsInfo`].
        KmemStats = 17,
        /// [`ResourceInfo`].
        Resource = 18,
        /// [`HandleCountInfo`].
        HandleCount = 19,
        /// [`BtiInfo`].
        Bti = 20,
        /// [`ProcessHandleStatsInfo`].
        ProcessHandleStats = 21,
        /// [`SocketInfo`].
        Socket = 22,
        /// [`VmoInfo`].
        Vmo = 23,
        /// [`JobInfo`].
        Job = 24,
        /// [`TimerInfo`] (2020).
        Timer = 25,
        /// [`StreamInfo`] (2020).
        Stream = 26,
        /// [`HandleExtendedInfo`] each (2020).
        HandleTable = 27,
        /// [`MsiInfo`] (2020).
        Msi = 28,
        /// [`TaskRuntimeInfo`] (2020).
        TaskRuntime = 30,
    }
}

impl InfoTopic {
    /// Whether the topic returns as many records as there are, instead of exactly one.
    #[must_use]
    pub const fn is_list(self) -> bool {
        matches!(
            self,
            Self::ProcessThreads
                | Self::JobChildren
                | Self::JobProcesses
                | Self::ProcessMaps
                | Self::ProcessVmos
                | Self::CpuStats
                | Self::HandleTable
        )
    }

    /// Bytes of one record in the home ABI.
    #[must_use]
    pub const fn record_size(self) -> usize {
        match self {
            Self::HandleValid => 0,
            Self::HandleBasic => size_of::<HandleBasicInfo>(),
            Self::Process => size_of::<ProcessInfo>(),
            Self::ProcessThreads | Self::JobChildren | Self::JobProcesses => size_of::<u64>(),
            Self::Vmar => size_of::<VmarInfo>(),
            Self::Thread => size_of::<ThreadInfo>(),
            Self::ThreadExceptionReport => size_of::<ExceptionReport>(),
            Self::TaskStats => size_of::<TaskStatsInfo>(),
            Self::ProcessMaps => size_of::<MapsInfo>(),
            Self::ProcessVmos | Self::Vmo => size_of::<VmoInfo>(),
            Self::ThreadStats => size_of::<ThreadStatsInfo>(),
            Self::CpuStats => size_of::<CpuStatsInfo>(),
            Self::KmemStats => size_of::<KmemStatsInfo>(),
            Self::Resource => size_of::<ResourceInfo>(),
            Self::HandleCount => size_of::<HandleCountInfo>(),
            Self::Bti => size_of::<BtiInfo>(),
            Self::ProcessHandleStats => size_of::<ProcessHandleStatsInfo>(),
            Self::Socket => size_of::<SocketInfo>(),
            Self::Job => size_of::<JobInfo>(),
            Self::Timer => size_of::<TimerInfo>(),
            Self::Stream => size_of::<StreamInfo>(),
            Self::HandleTable => size_of::<HandleExtendedInfo>(),
            Self::Msi => size_of::<MsiInfo>(),
            Self::TaskRuntime => size_of::<TaskRuntimeInfo>(),
        }
    }

    /// Bytes of one record in 2019-07, None for topics it does not know. The records that grew since are prefixes of
    /// the home ABI's.
    #[must_use]
    pub const fn record_size_2019(self) -> Option<usize> {
        match self {
            Self::Thread | Self::ThreadStats => Some(8),
            Self::Bti => Some(16),
            Self::Timer | Self::Stream | Self::HandleTable | Self::Msi | Self::TaskRuntime => None,
            other => Some(other.record_size()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn topics_have_the_record_sizes_of_2020() {
        let sizes = [
            0, 32, 16, 8, 16, 8, 8, 72, 32, 32, 96, 104, 16, 120, 72, 56, 4, 32, 256, 48, 104, 16,
            24, 24, 40, 24, 16,
        ];
        assert_eq!(sizes.len(), InfoTopic::ALL.len());
        for (&topic, size) in InfoTopic::ALL.iter().zip(sizes) {
            assert_eq!(topic.record_size(), size, "{topic:?}");
        }
    }

    #[test]
    fn numbers_between_the_topics_mean_nothing() {
        for raw in [0, 5, 6, 29, 31] {
            assert_eq!(InfoTopic::from_raw(raw), None);
        }
    }
}
