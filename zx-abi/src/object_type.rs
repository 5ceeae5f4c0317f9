//! The kinds of kernel object, numbered as in `zx_info_handle_basic_t::type`.

/// One past the largest number an object type may ever have; handle statistics have this many slots.
pub const OBJECT_TYPE_UPPER_BOUND: usize = 64;

/// Writes the enum, its names and its decoder from one list.
macro_rules! object_types {
    ($($variant:ident = $value:literal, $name:literal;)*) => {
        /// A kind of kernel object (`ZX_OBJ_TYPE_*`).
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
        #[repr(u32)]
        pub enum ObjectType {
            $(#[doc = concat!("`", $name, "`")] $variant = $value,)*
        }

        impl ObjectType {
            /// Every type, `None` first.
            pub const ALL: &'static [Self] = &[$(Self::$variant),*];

            /// The short name Zircon's tools print.
            #[must_use]
            pub const fn name(self) -> &'static str {
                match self { $(Self::$variant => $name,)* }
            }

            /// The number on the wire.
            #[must_use]
            pub const fn raw(self) -> u32 {
                self as u32
            }

            /// The type with this number, if there is one.
            #[must_use]
            pub const fn from_raw(raw: u32) -> Option<Self> {
                match raw { $($value => Some(Self::$variant),)* _ => None }
            }
        }
    };
}

object_types! {
    None = 0, "none";
    Process = 1, "process";
    Thread = 2, "thread";
    Vmo = 3, "vmo";
    Channel = 4, "channel";
    Event = 5, "event";
    Port = 6, "port";
    Interrupt = 9, "interrupt";
    PciDevice = 11, "pci_device";
    Log = 12, "log";
    Socket = 14, "socket";
    Resource = 15, "resource";
    EventPair = 16, "eventpair";
    Job = 17, "job";
    Vmar = 18, "vmar";
    Fifo = 19, "fifo";
    Guest = 20, "guest";
    Vcpu = 21, "vcpu";
    Timer = 22, "timer";
    Iommu = 23, "iommu";
    Bti = 24, "bti";
    Profile = 25, "profile";
    Pmt = 26, "pmt";
    SuspendToken = 27, "suspend_token";
    Pager = 28, "pager";
    Exception = 29, "exception";
    Clock = 30, "clock";
    Stream = 31, "stream";
    MsiAllocation = 32, "msi_allocation";
    MsiInterrupt = 33, "msi_interrupt";
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_decode_to_the_type_they_came_from() {
        for &kind in ObjectType::ALL {
            assert_eq!(ObjectType::from_raw(kind.raw()), Some(kind));
        }
        assert_eq!(ObjectType::from_raw(7), None);
        assert_eq!(ObjectType::SuspendToken.raw(), 27);
    }
}
