//! Choices read from bytes, so that changing a byte changes a choice.

pub struct Bytes<'a>(pub &'a [u8]);

impl<'a> Bytes<'a> {
    /// 0 where there are no more.
    pub fn byte(&mut self) -> u8 {
        let Some((first, rest)) = self.0.split_first() else {
            return 0;
        };
        self.0 = rest;
        *first
    }

    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub fn below(&mut self, end: usize) -> usize {
        self.byte() as usize % end
    }

    pub fn pick<'b, T>(&mut self, from: &'b [T]) -> &'b T {
        &from[self.below(from.len())]
    }

    pub fn once_in(&mut self, times: usize) -> bool {
        self.below(times) == 1
    }
}
