//! What is done with demands that an image makes without a spec (`[implicit]`).

/// What is done with a demand in the image's own program, or in its label.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Implied {
    /// It counts like one of a spec.
    Refuse,
    /// It is reported, and stops nothing.
    Warn,
    /// It is not looked at.
    Off,
}

/// How what an image says of NVIDIA's driver is judged.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Nvidia {
    /// As the driver behaves: a newer CUDA of the same major version runs on it.
    Sensible,
    /// As NVIDIA's own check judges.
    Strict,
    /// It is not looked at.
    Off,
}

impl Implied {
    /// As configurations write it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Refuse => "refuse",
            Self::Warn => "warn",
            Self::Off => "off",
        }
    }
}

impl Nvidia {
    /// As configurations write it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Sensible => "sensible",
            Self::Strict => "strict",
            Self::Off => "off",
        }
    }
}
