//! Elements of a lane, and the loops over them.

/// An element: how many there are in a lane, and how to take and place one.
pub trait Element: Copy {
    /// Elements in 128 bits.
    const COUNT: usize;
    /// Element `i`, counted from the low end.
    fn get(lane: u128, i: usize) -> Self;
    /// A lane with only this element.
    fn at(self, i: usize) -> u128;
}

macro_rules! element {
    ($($signed:ty, $unsigned:ty;)*) => {$(
        impl Element for $unsigned {
            const COUNT: usize = 128 / <$unsigned>::BITS as usize;

            #[inline(always)]
            fn get(lane: u128, i: usize) -> Self {
                (lane >> (i * <$unsigned>::BITS as usize & 127)) as $unsigned
            }

            #[inline(always)]
            fn at(self, i: usize) -> u128 {
                u128::from(self) << (i * <$unsigned>::BITS as usize & 127)
            }
        }

        impl Element for $signed {
            const COUNT: usize = 128 / <$signed>::BITS as usize;

            #[inline(always)]
            fn get(lane: u128, i: usize) -> Self {
                <$unsigned>::get(lane, i) as $signed
            }

            #[inline(always)]
            fn at(self, i: usize) -> u128 {
                (self as $unsigned).at(i)
            }
        }
    )*};
}

element! { i8, u8; i16, u16; i32, u32; i64, u64; }

/// A lane from its elements.
#[inline(always)]
pub fn each<T: Element>(mut element: impl FnMut(usize) -> T) -> u128 {
    (0..T::COUNT).fold(0, |lane, i| lane | element(i).at(i))
}

/// Every element by itself.
#[inline(always)]
pub fn map<T: Element, R: Element>(a: u128, mut f: impl FnMut(T) -> R) -> u128 {
    each(|i| f(T::get(a, i)))
}

/// Elements of two lanes, pair by pair.
#[inline(always)]
pub fn zip<T: Element, R: Element>(a: u128, b: u128, mut f: impl FnMut(T, T) -> R) -> u128 {
    each(|i| f(T::get(a, i), T::get(b, i)))
}

/// As [`zip`], for what depends on the place too.
#[inline(always)]
pub fn zip_at<T: Element, R: Element>(a: u128, b: u128, mut f: impl FnMut(usize, T, T) -> R) -> u128 {
    each(|i| f(i, T::get(a, i), T::get(b, i)))
}

/// The lowest element.
#[inline(always)]
pub fn first<T: Element>(a: u128) -> T {
    T::get(a, 0)
}

/// The lane with its lowest element replaced.
#[inline(always)]
pub fn with_first<T: Element>(a: u128, value: T) -> u128 {
    let mask = u128::MAX >> (128 - 128 / T::COUNT as u32);
    a & !mask | value.at(0)
}
