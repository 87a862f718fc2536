//! A share in percent.

use super::{Reader, value};
use crate::{
    syntax::{Node, shorten},
    vocabulary::Shape,
};

/// A share from 0 to 1, written in percent.
pub(crate) struct Share;

value! {
    Share: f64 = Shape::Share, |node, reader| read_share(node, reader);
}

fn read_share(node: &Node, reader: &mut Reader<'_>) -> Option<f64> {
    let text = reader.text(node, "a share such as `1%`")?;
    let is_plain = |digits: &&str| digits.bytes().all(|byte| byte.is_ascii_digit() || byte == b'.');
    let percent = text.strip_suffix('%').map(str::trim_end).filter(is_plain);
    match percent.and_then(|digits| digits.parse::<f64>().ok()) {
        Some(percent) if percent <= 100.0 => Some(percent / 100.0),
        Some(_) => {
            let message = format!("`{}` is not between 0% and 100%", shorten(text));
            reader.error(node.span, message).help("write `1%`, `0.1%` or `100%`");
            None
        }
        None => {
            let message = format!("`{}` is not a share", shorten(text));
            let help = match text.parse::<f64>() {
                Ok(share) if (0.0..=1.0).contains(&share) => {
                    format!("write it in percent: `{}%`", share * 100.0)
                }
                _ => "write `1%`, `0.1%` or `100%`".to_owned(),
            };
            reader.error(node.span, message).help(help);
            None
        }
    }
}
