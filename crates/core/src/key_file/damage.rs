//! How PEM (RFC 7468) is damaged, in words. The contents are never part of the words: they may be those of a key.

use std::fmt;

use super::KeyFilePart;

/// What keeps the PEM of a part from being read. Lines count from 1.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Damage {
    /// Everything stands on one line, or line breaks are written as `\n`.
    LineBreaksLost,
    /// A BEGIN line follows an END line without a line break between them.
    Joined(usize),
    /// Spaces stand before the lines.
    Indented,
    /// There is no END line.
    CutOff,
    /// A BEGIN or END line is not as it has to be.
    Mark(usize),
    /// A line is no base64, or is too long or too short.
    Line(usize),
}

const BEGIN: &[u8] = b"-----BEGIN ";
const END: &[u8] = b"-----END ";
const DASHES: &[u8] = b"-----";

impl Damage {
    /// Finds the first damage to a part of this kind.
    pub(super) fn of(text: &[u8], wanted: KeyFilePart) -> Option<Self> {
        let mut lines = lines(text);
        while let Some((number, line)) = lines.next() {
            match Mark::of(line) {
                Some(Mark { is_begin: true, label, .. }) if !is_of(label, wanted) => {}
                Some(mark @ Mark { is_begin: true, .. }) => {
                    let damage = mark.damage(number).or_else(|| section(mark.label, &mut lines));
                    if damage.is_some() {
                        return damage;
                    }
                }
                _ => {}
            }
        }
        None
    }
}

/// The damage to the lines that follow a BEGIN line with this label.
fn section<'a>(label: &[u8], lines: &mut impl Iterator<Item = (usize, &'a [u8])>) -> Option<Damage> {
    let mut base64 = Vec::new();
    for (number, line) in lines {
        if let Some(mark) = Mark::of(line) {
            return match mark {
                Mark { is_begin: true, .. } => Some(Damage::CutOff),
                Mark { label: other, .. } if other != label => Some(Damage::Mark(number)),
                _ => mark.damage(number).or_else(|| of_base64(&base64)),
            };
        }
        let line = line.trim_ascii();
        let is_base64 = |byte: &u8| byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'/' | b'=');
        if !line.iter().all(is_base64) {
            return Some(Damage::Line(number));
        }
        if !line.is_empty() {
            base64.push((number, line));
        }
    }
    Some(Damage::CutOff)
}

/// The damage to lines of base64: all but the last have one length, and padding ends the last.
fn of_base64(lines: &[(usize, &[u8])]) -> Option<Damage> {
    let ((last, end), others) = lines.split_last()?;
    let padding = end.iter().rev().take_while(|byte| **byte == b'=').count();
    let is_padded_within = |line: &[u8]| line.contains(&b'=');
    if let Some((number, _)) = others.iter().find(|(_, line)| is_padded_within(line)) {
        return Some(Damage::Line(*number));
    }
    if padding > 2 || is_padded_within(&end[..end.len() - padding]) {
        return Some(Damage::Line(*last));
    }
    let length: usize = lines.iter().map(|(_, line)| line.len()).sum();
    if length.is_multiple_of(4) {
        return None;
    }
    let first = others.first().map_or(0, |(_, line)| line.len());
    // Lines have 64 characters; tools that write other lengths write the same one throughout.
    let usual = if others.iter().skip(1).any(|(_, line)| line.len() == first) { first } else { 64 };
    let odd = others.iter().find(|(_, line)| line.len() != usual);
    Some(Damage::Line(odd.map_or(*last, |(number, _)| *number)))
}

/// A line that begins or ends a part, or was meant to.
struct Mark<'a> {
    is_begin: bool,
    label: &'a [u8],
    /// The line, without what is before the dashes and after it.
    line: &'a [u8],
    is_indented: bool,
    /// What follows the label.
    rest: &'a [u8],
}

impl<'a> Mark<'a> {
    fn of(line: &'a [u8]) -> Option<Self> {
        let trimmed = line.trim_ascii();
        let dashes = trimmed.iter().take_while(|byte| **byte == b'-').count();
        let word = trimmed[dashes..].trim_ascii_start();
        let is_begin = word.starts_with(b"BEGIN ");
        if dashes == 0 || !(is_begin || word.starts_with(b"END ")) {
            return None;
        }
        let label = word.split_at(if is_begin { 6 } else { 4 }).1;
        let length = label.iter().take_while(|byte| **byte != b'-').count();
        let (label, rest) = label.split_at(length);
        let is_indented = line.first().is_some_and(u8::is_ascii_whitespace);
        Some(Self { is_begin, label: label.trim_ascii(), line: trimmed, is_indented, rest })
    }

    /// What is wrong with the line itself.
    fn damage(&self, number: usize) -> Option<Damage> {
        let start = if self.is_begin { BEGIN } else { END };
        let after = self.rest.strip_prefix(DASHES).map(<[u8]>::trim_ascii);
        match after {
            Some(b"") if self.line.starts_with(start) => self.is_indented.then_some(Damage::Indented),
            Some(more) if self.is_begin && !more.starts_with(b"-") && !more.is_empty() => {
                Some(Damage::LineBreaksLost)
            }
            Some(more) if !self.is_begin && more.starts_with(BEGIN) => Some(Damage::Joined(number)),
            _ => Some(Damage::Mark(number)),
        }
    }
}

/// Whether a part of this kind has this label.
fn is_of(label: &[u8], wanted: KeyFilePart) -> bool {
    match wanted {
        KeyFilePart::Certificate => label == b"CERTIFICATE",
        KeyFilePart::PrivateKey => label.ends_with(b"PRIVATE KEY"),
        KeyFilePart::PublicKey => label == b"PUBLIC KEY",
        KeyFilePart::RevocationList => label == b"X509 CRL",
    }
}

/// The lines of a text with their numbers, however they are ended.
fn lines(text: &[u8]) -> impl Iterator<Item = (usize, &[u8])> {
    let end = if text.contains(&b'\n') { b'\n' } else { b'\r' };
    text.split(move |byte| *byte == end)
        .map(|line| line.strip_suffix(b"\r").unwrap_or(line))
        .enumerate()
        .map(|(index, line)| (index + 1, line))
}

/// In words that follow the file's name.
impl fmt::Display for Damage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::LineBreaksLost => f.write_str(
                ": its line breaks are lost (one line, or literal `\\n`): write each line on its own",
            ),
            Self::Joined(line) => {
                write!(f, " has two lines in one, line {line}: put a line break before `-----BEGIN`")
            }
            Self::Indented => f.write_str(" is indented: remove the spaces before its lines"),
            Self::CutOff => f.write_str(" is cut off: it has no END line. Copy it whole"),
            Self::Mark(line) => {
                write!(
                    f,
                    " is damaged in line {line}: BEGIN and END lines have five dashes before and after, and the same words"
                )
            }
            Self::Line(line) => write!(f, " is damaged in line {line}: copy it anew"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::KeyFile;

    const GOOD: &str = "-----BEGIN PRIVATE KEY-----\nAbCd0123AbCd0123\nEfGh4567EfGh4567\nIjKl8901IjKl8901\nMnOp\n-----END PRIVATE KEY-----\n";

    fn told(text: &str) -> String {
        KeyFile::why_not(text.as_bytes(), KeyFilePart::PrivateKey, "a.key")
    }

    #[test]
    fn damage_is_told_in_words_and_without_the_contents() {
        let one_line = GOOD.replace('\n', "");
        let literal = GOOD.replace('\n', "\\n");
        let lost = "a.key: its line breaks are lost (one line, or literal `\\n`): write each line on its own";
        let indented = "a.key is indented: remove the spaces before its lines";
        for (text, expected) in [
            (one_line.clone(), lost),
            (one_line.replacen("-----", "-----BEGIN X-----\n-----END X-----\n-----", 1), lost),
            (literal, lost),
            (GOOD.replace("\n-----END", "-----END"), "a.key is damaged in line 5: copy it anew"),
            (GOOD[..60].to_owned(), "a.key is cut off: it has no END line. Copy it whole"),
            (format!("{}{GOOD}", &GOOD[..45]), "a.key is cut off: it has no END line. Copy it whole"),
            (GOOD.replace("EfGh", "Ef*h"), "a.key is damaged in line 3: copy it anew"),
            (GOOD.replace("EfGh", "EfG"), "a.key is damaged in line 3: copy it anew"),
            (GOOD.replace("EfGh", "Ef=h"), "a.key is damaged in line 3: copy it anew"),
            (GOOD.replace("MnOp", "MnO"), "a.key is damaged in line 5: copy it anew"),
            (GOOD.replace("MnOp", "M==="), "a.key is damaged in line 5: copy it anew"),
            (GOOD.lines().map(|line| format!("  {line}\n")).collect(), indented),
            (GOOD.lines().map(|line| format!("\t{line}\r\n")).collect(), indented),
            (
                GOOD.replace("-----BEGIN", "----BEGIN"),
                "a.key is damaged in line 1: BEGIN and END lines have five dashes before and after, and the same words",
            ),
            (
                GOOD.replace("END PRIVATE", "END RSA PRIVATE"),
                "a.key is damaged in line 6: BEGIN and END lines have five dashes before and after, and the same words",
            ),
            (
                format!("{}{GOOD}", GOOD.trim_end()),
                "a.key has two lines in one, line 6: put a line break before `-----BEGIN`",
            ),
        ] {
            let told = told(&text);
            assert_eq!(told, expected, "{text}");
            assert!(!["AbCd", "65, 98", "0123"].iter().any(|part| told.contains(part)), "{told}");
        }
    }

    #[test]
    fn what_is_whole_has_no_damage() {
        let padded = GOOD.replace("MnOp", "Mn==");
        for text in
            [GOOD, &padded, &GOOD.replace('\n', "\r\n"), &GOOD.replace('\n', "\r"), &GOOD.replace('\n', "\n\n")]
        {
            assert_eq!(Damage::of(text.as_bytes(), KeyFilePart::PrivateKey), None, "{text:?}");
        }
        // A part of another kind is not looked at.
        assert_eq!(Damage::of(&GOOD.as_bytes()[..60], KeyFilePart::Certificate), None);
    }

    #[test]
    fn any_change_is_no_reason_to_panic() {
        for index in 0..GOOD.len() {
            for byte in *b"\n\r -=*\\B\xff" {
                let mut text = GOOD.as_bytes().to_vec();
                text[index] = byte;
                let _ = KeyFile::why_not(&text, KeyFilePart::PrivateKey, "a.key");
                let _ = KeyFile::why_not(&text[..index], KeyFilePart::PrivateKey, "a.key");
            }
        }
    }
}
