//! AdamW (Loshchilov and Hutter, 2019).

/// The optimiser state of one parameter.
pub struct AdamW {
    rate: f64,
    decay: f64,
    mean: Vec<f64>,
    square: Vec<f64>,
    steps: i32,
}

impl AdamW {
    const MEAN: f64 = 0.9;
    const SQUARE: f64 = 0.999;

    /// Creates the state for `numbers` numbers. In each step, besides the gradient step, `decay` shrinks the
    /// numbers by `rate * decay`.
    pub fn new(numbers: usize, rate: f64, decay: f64) -> Self {
        Self { rate, decay, mean: vec![0.0; numbers], square: vec![0.0; numbers], steps: 0 }
    }

    /// Takes one step down the gradient.
    pub fn step(&mut self, parameter: &mut [f64], gradient: &[f64]) {
        self.steps = self.steps.saturating_add(1);
        let (mean_bias, square_bias) = (1.0 - Self::MEAN.powi(self.steps), 1.0 - Self::SQUARE.powi(self.steps));
        let moments = self.mean.iter_mut().zip(&mut self.square);
        for ((value, gradient), (mean, square)) in parameter.iter_mut().zip(gradient).zip(moments) {
            *mean = Self::MEAN * *mean + (1.0 - Self::MEAN) * gradient;
            *square = Self::SQUARE * *square + (1.0 - Self::SQUARE) * gradient * gradient;
            let step = (*mean / mean_bias) / ((*square / square_bias).sqrt() + 1e-12);
            *value -= self.rate * step + self.rate * self.decay * *value;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Compares with PyTorch's `AdamW(lr=0.1, weight_decay=0.5)` on the gradients 1, -2 from 3.0. The first step
    /// by hand: 3 - 0.1 * 0.5 * 3 - 0.1.
    #[test]
    fn steps_equal_those_of_pytorch() {
        let mut adam = AdamW::new(1, 0.1, 0.5);
        let mut value = [3.0];
        adam.step(&mut value, &[1.0]);
        assert!((value[0] - 2.75).abs() < 1e-9, "{value:?}");
        adam.step(&mut value, &[-2.0]);
        // First moment (0.09 * 1 - 0.2) / 0.19, second moment (0.000999 + 0.004) / 0.001999.
        let step: f64 = (-0.11 / 0.19) / (0.004_999_f64 / 0.001_999).sqrt();
        assert!((value[0] - (2.75 - 0.1 * 0.5 * 2.75 - 0.1 * step)).abs() < 1e-9, "{value:?}");
    }

    #[test]
    fn the_minimum_of_a_quadratic_is_found() {
        let mut adam = AdamW::new(2, 0.05, 0.0);
        let mut place = [4.0, -3.0];
        for _step in 0..600 {
            let gradient = [2.0 * (place[0] - 1.0), 20.0 * (place[1] - 2.0)];
            adam.step(&mut place, &gradient);
        }
        assert!((place[0] - 1.0).abs() < 0.02 && (place[1] - 2.0).abs() < 0.02, "{place:?}");
    }
}
