//! The badge: a domain's last known state as a small picture. Words and a shape, not colour alone.

use crate::view::{Icon, day};
use elsinore_check::report::State;
use elsinore_dane::time::UnixTime;

/// Width of a character of 11 px sans-serif, on average, in tenths of a pixel.
const CHARACTER: usize = 64;

/// The badge of a domain that was `known` to be in a state at a moment.
pub(crate) fn svg(known: Option<(State, UnixTime)>) -> String {
    let (words, colour, icon, title) = match known {
        Some((state, at)) => (
            state.words(),
            colour(state),
            Icon::of_state(state),
            format!(
                "DANE for mail: {}, measured on {}",
                state.words(),
                day(&at.0)
            ),
        ),
        None => (
            "not checked",
            "#5b6470",
            Icon::Unknown,
            "DANE for mail: not checked lately".to_owned(),
        ),
    };
    let text = words.chars().count() * CHARACTER / 10;
    let (left, right) = (48, text + 32);
    let width = left + right;
    let path = icon.path();
    // Every text here is ours: no escaping is needed.
    format!(
        r##"<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="20" viewBox="0 0 {width} 20" role="img" aria-label="{title}"><title>{title}</title><rect width="{width}" height="20" rx="4" fill="#2b3440"/><path d="M{left} 0h{corner}a4 4 0 0 1 4 4v12a4 4 0 0 1-4 4h-{corner}z" fill="{colour}"/><g fill="#fff" font-family="Verdana,DejaVu Sans,Geneva,sans-serif" font-size="11"><text x="8" y="14">DANE</text><text x="{word}" y="14" textLength="{text}" lengthAdjust="spacingAndGlyphs">{words}</text></g><path transform="translate({mark} 3) scale(.5833)" d="{path}" fill="none" stroke="#fff" stroke-width="2.4" stroke-linecap="round" stroke-linejoin="round"/></svg>
"##,
        corner = right - 4,
        word = left + 24,
        mark = left + 6,
    )
}

/// Background colours on which white text has a contrast of at least 4.5 to 1 (WCAG 2.2 §1.4.3).
const fn colour(state: State) -> &'static str {
    match state {
        State::Protected => "#1d7044",
        State::PartlyProtected => "#8a5a00",
        State::NotProtected => "#5b6470",
        State::Refused => "#b3261e",
        State::CouldNotTell => "#65558f",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_state_has_words_and_a_shape_of_its_own() {
        let mut seen: Vec<String> = State::ALL
            .iter()
            .map(|state| svg(Some((*state, UnixTime(0)))))
            .chain([svg(None)])
            .collect();
        for (badge, words) in seen.iter().zip(State::ALL.map(State::words)) {
            assert!(badge.contains(&format!(">{words}</text>")), "{badge}");
            assert!(badge.contains("measured on 1970-01-01"), "{badge}");
        }
        seen.sort();
        seen.dedup();
        assert_eq!(seen.len(), 6);
        let mut icons: Vec<_> = State::ALL
            .map(|state| Icon::of_state(state).path())
            .to_vec();
        icons.sort_unstable();
        icons.dedup();
        assert_eq!(icons.len(), 5);
    }
}
