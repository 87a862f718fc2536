//! What is told of several rounds.

/// A median with the range around it.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Summary {
    pub(crate) median: f64,
    pub(crate) low: f64,
    pub(crate) high: f64,
}

impl Summary {
    /// `None` when there is nothing to sum up.
    pub(crate) fn of(values: impl IntoIterator<Item = f64>) -> Option<Self> {
        let mut values: Vec<_> = values.into_iter().filter(|value| value.is_finite()).collect();
        values.sort_by(f64::total_cmp);
        let (low, high) = (*values.first()?, *values.last()?);
        let middle = values.len() / 2;
        let median = if values.len() % 2 == 1 {
            values[middle]
        } else {
            f64::midpoint(values[middle - 1], values[middle])
        };
        Some(Self { median, low, high })
    }

    /// Of the quotients of values from the same rounds, so that what a round did to both falls out.
    pub(crate) fn of_ratios(values: &[Option<f64>], to: &[Option<f64>]) -> Option<Self> {
        Self::of(values.iter().zip(to).filter_map(|(value, to)| Some((*value)? / (*to)?)))
    }

    /// How far the range reaches, as a share of the median.
    pub(crate) fn spread(&self) -> f64 {
        (self.high - self.low) / self.median
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_median_of_an_even_number_lies_between_the_middle_two() {
        let odd = Summary::of([3.0, 1.0, 2.0]).expect("three values");
        assert_eq!((odd.median, odd.low, odd.high), (2.0, 1.0, 3.0));
        assert_eq!(Summary::of([4.0, 1.0, 2.0, 3.0]).map(|even| even.median), Some(2.5));
        assert_eq!(Summary::of([]), None);
        assert_eq!(odd.spread(), 1.0);
    }

    #[test]
    fn ratios_are_taken_within_a_round_and_skip_rounds_that_one_side_lacks() {
        let ours = [Some(10.0), Some(30.0), None, Some(5.0)];
        let theirs = [Some(20.0), Some(20.0), Some(1.0), None];
        let ratios = Summary::of_ratios(&ours, &theirs).expect("two rounds");
        assert_eq!((ratios.low, ratios.high), (0.5, 1.5));
    }
}
