//! What the numbers of a line do not tell, in as many words as there is room for.

use crate::clean::clean;

/// A remark behind the postfix, such as `rank 3 died at 410`, or shorter `rank 3 died`.
///
/// # Examples
///
/// ```
/// use mp_tqdm_render::Remark;
///
/// let remark = Remark::new("2 ranks at 30.1 to 31.3it/s").or("30.1 to 31.3it/s").or("2 ranks");
/// assert_eq!(remark.text(), "2 ranks at 30.1 to 31.3it/s");
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Remark {
    text: String,
    /// Each takes fewer columns than the one before.
    shorter: Vec<String>,
    is_alarm: bool,
}

impl Remark {
    /// A remark in all its words.
    #[must_use]
    pub fn new(text: impl AsRef<str>) -> Self {
        Self {
            text: clean(text.as_ref()),
            shorter: Vec::new(),
            is_alarm: false,
        }
    }

    /// The same remark, with a shorter wording for lines that are too narrow for those before.
    #[must_use]
    pub fn or(mut self, shorter: impl AsRef<str>) -> Self {
        self.shorter.push(clean(shorter.as_ref()));
        self
    }

    /// The same remark, said before all others: the work failed, or will not go on.
    #[must_use]
    pub fn as_alarm(mut self) -> Self {
        self.is_alarm = true;
        self
    }

    /// All its words.
    #[must_use]
    pub fn text(&self) -> &str {
        &self.text
    }

    /// Its wordings, the longest first.
    pub(crate) fn wordings(&self) -> impl DoubleEndedIterator<Item = &str> {
        std::iter::once(&self.text)
            .chain(&self.shorter)
            .map(String::as_str)
    }

    /// The shortest wording of an alarm.
    pub(crate) fn alarm(&self) -> Option<&str> {
        self.wordings().next_back().filter(|_| self.is_alarm)
    }
}

/// The text of several remarks in all their words.
#[must_use]
pub fn note_of(remarks: &[Remark]) -> String {
    joined(remarks.iter().map(Remark::text))
}

/// Texts as they stand behind the rate.
pub(crate) fn joined<'a>(texts: impl IntoIterator<Item = &'a str>) -> String {
    Vec::from_iter(texts).join(", ")
}
