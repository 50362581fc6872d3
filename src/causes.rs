//! Errors as text: one line with everything that led to it, and texts of others as they may be shown.

/// The message of an error and of everything that caused it, on one line.
pub fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        let said = error.to_string();
        if !text.contains(&said) {
            text.push_str(": ");
            text.push_str(&said);
        }
        cause = error.source();
    }
    // The number of a system error says nothing that its words do not.
    match text.rfind(" (os error ") {
        Some(at) => text[..at].to_owned(),
        None => text,
    }
}

/// A text of somebody else's without what would do something to a terminal, and not longer than a message can be.
pub fn printable(text: &str) -> String {
    const LENGTH: usize = 300;
    text.chars().filter(|c| !c.is_control()).take(LENGTH).collect()
}
