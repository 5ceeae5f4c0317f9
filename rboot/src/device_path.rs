//! Just enough of UEFI device paths to see whether the firmware's console is a serial port.

const NODE_HEADER_BYTES: usize = 4;
const MESSAGING: u8 = 3;
const MESSAGING_UART: u8 = 14;

/// Whether one of the paths in `bytes` (the value of the variable `ConOut`) goes through a UART.
#[must_use]
pub fn names_a_uart(bytes: &[u8]) -> bool {
    let mut rest = bytes;
    while let [kind, subtype, low, high, ..] = *rest {
        if kind == MESSAGING && subtype == MESSAGING_UART {
            return true;
        }
        let length = usize::from(u16::from_le_bytes([low, high])).max(NODE_HEADER_BYTES);
        rest = rest.get(length..).unwrap_or(&[]);
    }
    false
}

#[cfg(test)]
mod tests {
    use super::*;

    const PCI: [u8; 6] = [1, 1, 6, 0, 0, 2];
    const END_OF_INSTANCE: [u8; 4] = [0x7f, 1, 4, 0];
    const UART: [u8; 19] = [3, 14, 19, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 8, 1, 1];

    #[test]
    fn a_uart_in_the_second_path_is_found() {
        let path = [&PCI[..], &END_OF_INSTANCE, &PCI, &UART].concat();
        assert!(names_a_uart(&path));
    }

    #[test]
    fn a_screen_is_no_uart() {
        assert!(!names_a_uart(&[&PCI[..], &END_OF_INSTANCE].concat()));
        assert!(!names_a_uart(&[]));
    }

    #[test]
    fn broken_lengths_end_the_search() {
        assert!(!names_a_uart(&[1, 1, 0, 0, 3, 1]));
        assert!(!names_a_uart(&[1, 1, 0xff, 0xff, 3, 14, 0]));
    }
}
