//! The XSAVE area in its standard format: where the FPU and vector registers of a stopped thread are in memory.
//!
//! Offsets of the components behind SSE come from the CPU ([`vector_layout`](crate::context::vector_layout)); the rest is
//! architecture (SDM volume 1, 13.4). A component whose bit in XSTATE_BV is clear is in its initial state, whatever its
//! bytes say.

use crate::context::VectorState;
use zx_abi::thread_state::{FpRegs, VectorRegs};
use zx_abi::{ZxError, ZxResult};

/// Where components begin, as offsets from the start of the area; `None` for what the CPU does not have.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Layout {
    /// Whether the area has a header behind its first 512 bytes: XSAVE and not FXSAVE.
    pub header: Header,
    /// Upper halves of ymm0 to ymm15.
    pub avx: Option<usize>,
    /// The mask registers k0 to k7.
    pub opmask: Option<usize>,
    /// Upper halves of zmm0 to zmm15.
    pub zmm_upper: Option<usize>,
    /// zmm16 to zmm31.
    pub zmm_high: Option<usize>,
}

/// Whether an area has the XSAVE header.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum Header {
    /// It was made by FXSAVE.
    #[default]
    Missing,
    /// It was made by XSAVE.
    Present,
}

const X87: u32 = 0;
const SSE: u32 = 1;
const AVX: u32 = 2;
const OPMASK: u32 = 5;
const ZMM_UPPER: u32 = 6;
const ZMM_HIGH: u32 = 7;

const LINE: usize = 64;
const MXCSR: usize = 24;
const MXCSR_MASK: usize = 28;
const ST: usize = 32;
const XMM: usize = 160;
const XSTATE_BV: usize = 512;
const FCW_INITIAL: u16 = 0x37f;
const MXCSR_MASK_DEFAULT: u32 = 0xffbf;

impl VectorState {
    /// The x87 registers.
    #[must_use]
    pub fn fp_regs(&self, layout: &Layout) -> FpRegs {
        let mut regs = FpRegs::default();
        if !self.in_use(layout, X87) {
            regs.fcw = FCW_INITIAL;
            return regs;
        }
        regs.fcw = u16::from_le_bytes(self.get(0));
        regs.fsw = u16::from_le_bytes(self.get(2));
        [regs.ftw] = self.get(4);
        regs.fop = u16::from_le_bytes(self.get(6));
        regs.fip = u64::from_le_bytes(self.get(8));
        regs.fdp = u64::from_le_bytes(self.get(16));
        for (i, st) in regs.st.iter_mut().enumerate() {
            *st = self.words(ST + 16 * i);
        }
        regs
    }

    /// Changes the x87 registers.
    pub fn set_fp_regs(&mut self, layout: &Layout, regs: &FpRegs) {
        self.put(0, regs.fcw.to_le_bytes());
        self.put(2, regs.fsw.to_le_bytes());
        self.put(4, [regs.ftw]);
        self.put(6, regs.fop.to_le_bytes());
        self.put(8, regs.fip.to_le_bytes());
        self.put(16, regs.fdp.to_le_bytes());
        for (i, st) in regs.st.iter().enumerate() {
            self.put_words(ST + 16 * i, *st);
        }
        self.use_component(layout, X87);
    }

    /// The SSE, AVX and AVX-512 registers; what the CPU lacks is zero.
    #[must_use]
    pub fn vector_regs(&self, layout: &Layout) -> VectorRegs {
        let mut regs = VectorRegs {
            mxcsr: u32::from_le_bytes(self.get(MXCSR)),
            ..VectorRegs::default()
        };
        let (low, high) = regs.zmm.split_at_mut(16);
        if self.in_use(layout, SSE) {
            for (i, zmm) in low.iter_mut().enumerate() {
                [zmm[0], zmm[1]] = self.words(XMM + 16 * i);
            }
        }
        if let Some(avx) = layout.avx.filter(|_| self.in_use(layout, AVX)) {
            for (i, zmm) in low.iter_mut().enumerate() {
                [zmm[2], zmm[3]] = self.words(avx + 16 * i);
            }
        }
        if let Some(upper) = layout.zmm_upper.filter(|_| self.in_use(layout, ZMM_UPPER)) {
            for (i, zmm) in low.iter_mut().enumerate() {
                [zmm[4], zmm[5], zmm[6], zmm[7]] = self.words(upper + 32 * i);
            }
        }
        if let Some(base) = layout.zmm_high.filter(|_| self.in_use(layout, ZMM_HIGH)) {
            for (i, zmm) in high.iter_mut().enumerate() {
                *zmm = self.words(base + 64 * i);
            }
        }
        if let Some(opmask) = layout.opmask.filter(|_| self.in_use(layout, OPMASK)) {
            regs.opmask = self.words(opmask);
        }
        regs
    }

    /// Changes the SSE, AVX and AVX-512 registers; values for what the CPU lacks are ignored.
    ///
    /// # Errors
    /// - `InvalidArgs`: the CPU would not take this mxcsr; nothing changes.
    pub fn set_vector_regs(&mut self, layout: &Layout, regs: &VectorRegs) -> ZxResult {
        let allowed = match u32::from_le_bytes(self.get(MXCSR_MASK)) {
            0 => MXCSR_MASK_DEFAULT,
            mask => mask & 0xffff,
        };
        if regs.mxcsr & !allowed != 0 {
            return Err(ZxError::InvalidArgs);
        }
        self.put(MXCSR, regs.mxcsr.to_le_bytes());
        let (low, high) = regs.zmm.split_at(16);
        for (i, zmm) in low.iter().enumerate() {
            self.put_words(XMM + 16 * i, [zmm[0], zmm[1]]);
            if let Some(avx) = layout.avx {
                self.put_words(avx + 16 * i, [zmm[2], zmm[3]]);
            }
            if let Some(upper) = layout.zmm_upper {
                self.put_words(upper + 32 * i, [zmm[4], zmm[5], zmm[6], zmm[7]]);
            }
        }
        if let Some(base) = layout.zmm_high {
            for (i, zmm) in high.iter().enumerate() {
                self.put_words(base + 64 * i, *zmm);
            }
        }
        if let Some(opmask) = layout.opmask {
            self.put_words(opmask, regs.opmask);
        }
        let optional = [
            (layout.avx, AVX),
            (layout.opmask, OPMASK),
            (layout.zmm_upper, ZMM_UPPER),
            (layout.zmm_high, ZMM_HIGH),
        ];
        self.use_component(layout, SSE);
        for (_, component) in optional.into_iter().filter(|(offset, _)| offset.is_some()) {
            self.use_component(layout, component);
        }
        Ok(())
    }

    fn in_use(&self, layout: &Layout, component: u32) -> bool {
        layout.header == Header::Missing
            || u64::from_le_bytes(self.get(XSTATE_BV)) >> component & 1 == 1
    }

    /// Its bytes are true from now on.
    fn use_component(&mut self, layout: &Layout, component: u32) {
        if layout.header == Header::Present {
            let in_use = u64::from_le_bytes(self.get(XSTATE_BV)) | 1 << component;
            self.put(XSTATE_BV, in_use.to_le_bytes());
        }
    }

    /// `N` bytes that do not cross a line.
    fn get<const N: usize>(&self, offset: usize) -> [u8; N] {
        let line = self
            .lines()
            .get(offset / LINE)
            .map_or([0; LINE], |line| line.0);
        core::array::from_fn(|i| line.get(offset % LINE + i).copied().unwrap_or(0))
    }

    fn put<const N: usize>(&mut self, offset: usize, bytes: [u8; N]) {
        let line = self.lines_mut().get_mut(offset / LINE);
        if let Some(to) = line.and_then(|line| line.0.get_mut(offset % LINE..offset % LINE + N)) {
            to.copy_from_slice(&bytes);
        }
    }

    fn words<const N: usize>(&self, offset: usize) -> [u64; N] {
        core::array::from_fn(|i| u64::from_le_bytes(self.get(offset + 8 * i)))
    }

    fn put_words<const N: usize>(&mut self, offset: usize, words: [u64; N]) {
        for (i, word) in words.iter().enumerate() {
            self.put(offset + 8 * i, word.to_le_bytes());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const FULL: Layout = Layout {
        header: Header::Present,
        avx: Some(576),
        opmask: Some(1088),
        zmm_upper: Some(1152),
        zmm_high: Some(1664),
    };

    /// An area that is never dropped: its drop asks the backend, which unit tests do not have.
    fn area() -> core::mem::ManuallyDrop<VectorState> {
        core::mem::ManuallyDrop::new(VectorState::with_len(2688 + 64).unwrap())
    }

    #[test]
    fn what_is_written_is_read() {
        let mut area = area();
        let mut regs = VectorRegs {
            mxcsr: 0x1f80,
            ..VectorRegs::default()
        };
        for (i, word) in regs.zmm.as_flattened_mut().iter_mut().enumerate() {
            *word = 0x100 + i as u64;
        }
        regs.opmask = [1, 2, 3, 4, 5, 6, 7, 8];
        area.set_vector_regs(&FULL, &regs).unwrap();
        assert_eq!(area.vector_regs(&FULL), regs);
        let mut fp = FpRegs {
            fcw: 0x37f,
            fsw: 1,
            ftw: 0xff,
            fop: 2,
            fip: 3,
            fdp: 4,
            ..FpRegs::default()
        };
        fp.st[7] = [5, 6];
        area.set_fp_regs(&FULL, &fp);
        assert_eq!(area.fp_regs(&FULL), fp);
        assert_eq!(area.vector_regs(&FULL), regs);
    }

    #[test]
    fn a_component_in_its_initial_state_is_not_read_from_memory() {
        let mut area = area();
        area.set_fp_regs(
            &FULL,
            &FpRegs {
                fcw: 1,
                ..FpRegs::default()
            },
        );
        area.put(XSTATE_BV, [0; 8]);
        assert_eq!(
            area.fp_regs(&FULL),
            FpRegs {
                fcw: FCW_INITIAL,
                ..FpRegs::default()
            }
        );
    }

    #[test]
    fn an_mxcsr_that_the_cpu_would_refuse_is_refused() {
        let mut area = area();
        let regs = VectorRegs {
            mxcsr: 1 << 16,
            ..VectorRegs::default()
        };
        assert_eq!(
            area.set_vector_regs(&FULL, &regs),
            Err(ZxError::InvalidArgs)
        );
        assert_eq!(area.vector_regs(&FULL), VectorRegs::default());
    }
}
