//! Which way in can work here: a pure function from what was asked for and where the program runs, with its reason.
//!
//! It knows no network; what depends on the provider is left open in the answer, and settled once that is known.

use crate::{
    config::Flow,
    failure::NoWay,
    host::{Browser, Surroundings},
    session::Wish,
};

/// What was asked for.
#[derive(Clone, Copy, Debug)]
pub(super) struct Asked<'a> {
    /// By a program that comes by itself, whose person sees nothing but a terminal.
    pub(super) automatically: bool,
    pub(super) wish: Wish,
    pub(super) flow: Flow,
    /// The profile names a browser.
    pub(super) named: bool,
    /// Which browser would be opened.
    pub(super) browser: &'a Browser,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WayIn {
    /// A browser here.
    Browser,
    /// A browser that the person opens, at an address of this machine.
    ByHand,
    /// A browser anywhere, in which a code is entered.
    Code,
    /// A browser anywhere, whose last address is pasted at the terminal.
    Paste,
}

/// What is to be done, and why.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Choice {
    pub(super) plan: Plan,
    pub(super) because: &'static str,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Plan {
    Go(WayIn),
    /// By code where the provider gives codes, else in this way.
    CodeOr(WayIn),
    Refuse(NoWay),
}

impl Plan {
    /// The way in, given whether the provider gives codes.
    pub(super) fn settled(self, gives_codes: bool) -> Result<WayIn, NoWay> {
        match self {
            Self::Go(way) => Ok(way),
            Self::CodeOr(_) if gives_codes => Ok(WayIn::Code),
            Self::CodeOr(otherwise) => Ok(otherwise),
            Self::Refuse(why) => Err(why),
        }
    }
}

/// Whoever says how, is obeyed; else a browser is opened where one can be seen, and elsewhere the person is sent to one.
pub(super) fn choose(asked: &Asked<'_>, around: &Surroundings) -> Choice {
    let unattended = around.ci && !around.terminal;
    match (asked.wish, asked.flow) {
        (Wish::Device, _) => told(asked, around, WayIn::Code, "the command line asks for a code"),
        (Wish::Any, Flow::Auto | Flow::Browser) if asked.named => {
            go(WayIn::Browser, "the profile names a browser")
        }
        _ if unattended => refuse(NoWay::Unattended, "a build machine without a terminal"),
        (Wish::Any, Flow::Device) => told(asked, around, WayIn::Code, "the profile asks for a code"),
        (_, Flow::Paste) if around.terminal => go(WayIn::Paste, "the profile asks for a pasted address"),
        (_, Flow::Paste) => refuse(NoWay::NowhereToPaste, "an address cannot be pasted without a terminal"),
        (Wish::NoBrowser, Flow::Browser | Flow::Device) => {
            told(asked, around, WayIn::ByHand, "the command line wants no browser opened")
        }
        (Wish::Any, Flow::Browser) if *asked.browser == Browser::Nobody => {
            told(asked, around, WayIn::ByHand, "no browser is to be opened")
        }
        (Wish::Any, Flow::Browser) => go(WayIn::Browser, "the profile asks for a browser"),
        (_, Flow::Auto) => by_surroundings(asked, around),
    }
}

fn by_surroundings(asked: &Asked<'_>, around: &Surroundings) -> Choice {
    let opens_none = asked.wish == Wish::NoBrowser || *asked.browser == Browser::Nobody;
    match browser_here(asked.browser, around) {
        Ok(because) if opens_none => told(asked, around, WayIn::ByHand, because),
        Ok(because) => go(WayIn::Browser, because),
        Err(because) if !is_seen(asked, around) => refuse(NoWay::NoTerminal, because),
        Err(because) => {
            let otherwise = if around.terminal { WayIn::Paste } else { WayIn::ByHand };
            Choice { plan: Plan::CodeOr(otherwise), because }
        }
    }
}

/// Whether a browser that is opened here appears before the person, or why not.
fn browser_here(browser: &Browser, around: &Surroundings) -> Result<&'static str, &'static str> {
    let in_variable = matches!(browser, Browser::Command(_));
    match around {
        // It hands the address to the editor's own window, and that forwards the port.
        Surroundings { remote_editor: true, .. } if in_variable => Ok("$BROWSER of a remote editor"),
        Surroundings { ssh: true, display: false, .. } => Err("reached by SSH, without a display"),
        Surroundings { remote_editor: true, display: false, .. } => Err("a remote editor without $BROWSER"),
        _ if in_variable => Ok("$BROWSER names one"),
        Surroundings { desktop: true, .. } => Ok("a desktop"),
        Surroundings { interop: true, .. } => Ok("WSL, whose Windows opens addresses"),
        Surroundings { display: true, .. } => Ok("a display"),
        Surroundings { container: true, .. } => Err("a container, without a display"),
        Surroundings { wsl: true, .. } => Err("WSL that starts no Windows programs, without a display"),
        _ => Err("no display"),
    }
}

/// Whether anybody sees what is shown: callers that come by themselves hide all but the terminal.
fn is_seen(asked: &Asked<'_>, around: &Surroundings) -> bool {
    !asked.automatically || around.terminal
}

fn told(asked: &Asked<'_>, around: &Surroundings, way: WayIn, because: &'static str) -> Choice {
    if is_seen(asked, around) { go(way, because) } else { refuse(NoWay::NoTerminal, because) }
}

fn go(way: WayIn, because: &'static str) -> Choice {
    Choice { plan: Plan::Go(way), because }
}

fn refuse(why: NoWay, because: &'static str) -> Choice {
    Choice { plan: Plan::Refuse(why), because }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOWHERE: Surroundings = Surroundings {
        terminal: false,
        desktop: false,
        display: false,
        ssh: false,
        remote_editor: false,
        wsl: false,
        interop: false,
        container: false,
        ci: false,
    };
    const DISPLAY: Surroundings = Surroundings { display: true, ..NOWHERE };
    const DESKTOP: Surroundings = Surroundings { desktop: true, ..NOWHERE };
    const SSH: Surroundings = Surroundings { ssh: true, ..NOWHERE };
    const WSL: Surroundings = Surroundings { wsl: true, ..NOWHERE };
    const INTEROP: Surroundings = Surroundings { interop: true, ..WSL };
    const EDITOR: Surroundings = Surroundings { remote_editor: true, ..NOWHERE };
    const CONTAINER: Surroundings = Surroundings { container: true, ..NOWHERE };
    const CI: Surroundings = Surroundings { ci: true, ..NOWHERE };

    fn at_terminal(around: Surroundings) -> Surroundings {
        Surroundings { terminal: true, ..around }
    }

    fn in_variable() -> Browser {
        Browser::Command(vec!["firefox".into()])
    }

    /// `login` with nothing said of how.
    const LOGIN: Asked<'static> = Asked {
        automatically: false,
        wish: Wish::Any,
        flow: Flow::Auto,
        named: false,
        browser: &Browser::System,
    };
    const CALLER: Asked<'static> = Asked { automatically: true, ..LOGIN };

    /// The way in where the provider gives codes, and where it gives none.
    type Ways = [Result<WayIn, NoWay>; 2];

    fn ways(asked: Asked<'_>, around: Surroundings) -> Ways {
        let Choice { plan, because } = choose(&asked, &around);
        assert!(!because.is_empty());
        [plan.settled(true), plan.settled(false)]
    }

    /// Each row: what was asked, where, and the way in with codes and without.
    #[track_caller]
    fn all<const N: usize>(rows: [(&str, Asked<'_>, Surroundings, Ways); N]) {
        for (name, asked, around, expected) in rows {
            assert_eq!(ways(asked, around), expected, "{name}");
        }
    }

    const BROWSER: Ways = [Ok(WayIn::Browser); 2];
    const BY_HAND: Ways = [Ok(WayIn::ByHand); 2];
    const CODE: Ways = [Ok(WayIn::Code); 2];
    const PASTE: Ways = [Ok(WayIn::Paste); 2];
    const CODE_OR_PASTE: Ways = [Ok(WayIn::Code), Ok(WayIn::Paste)];
    const CODE_OR_BY_HAND: Ways = [Ok(WayIn::Code), Ok(WayIn::ByHand)];
    const UNATTENDED: Ways = [Err(NoWay::Unattended); 2];
    const NO_TERMINAL: Ways = [Err(NoWay::NoTerminal); 2];

    #[test]
    fn a_browser_is_opened_where_one_can_be_seen() {
        let variable = in_variable();
        let login = Asked { browser: &variable, ..LOGIN };
        all([
            ("a Linux desktop", LOGIN, DISPLAY, BROWSER),
            ("a Linux desktop, for a caller", CALLER, DISPLAY, BROWSER),
            ("macOS or Windows", LOGIN, DESKTOP, BROWSER),
            ("macOS or Windows, for a caller", CALLER, DESKTOP, BROWSER),
            ("WSL with interop", LOGIN, INTEROP, BROWSER),
            ("WSL without interop but with a display", LOGIN, Surroundings { display: true, ..WSL }, BROWSER),
            ("SSH with a forwarded display", LOGIN, Surroundings { display: true, ..SSH }, BROWSER),
            ("a container with a display", LOGIN, Surroundings { display: true, ..CONTAINER }, BROWSER),
            ("$BROWSER without a display", login, NOWHERE, BROWSER),
            ("$BROWSER in a container", login, CONTAINER, BROWSER),
            ("$BROWSER of VS Code over SSH", login, Surroundings { ssh: true, ..EDITOR }, BROWSER),
            ("$BROWSER of Codespaces", login, Surroundings { container: true, ..EDITOR }, BROWSER),
        ]);
    }

    #[test]
    fn elsewhere_a_person_is_sent_to_a_browser_of_their_own() {
        let variable = in_variable();
        let firefox = Asked { browser: &variable, ..LOGIN };
        all([
            ("SSH at a terminal", LOGIN, at_terminal(SSH), CODE_OR_PASTE),
            ("SSH, shown by a host", LOGIN, SSH, CODE_OR_BY_HAND),
            ("SSH with $BROWSER=firefox and no display", firefox, at_terminal(SSH), CODE_OR_PASTE),
            ("macOS over SSH", LOGIN, at_terminal(Surroundings { ssh: true, ..DESKTOP }), CODE_OR_PASTE),
            ("a container", LOGIN, at_terminal(CONTAINER), CODE_OR_PASTE),
            ("WSL without interop", LOGIN, at_terminal(WSL), CODE_OR_PASTE),
            ("a remote editor without $BROWSER", LOGIN, at_terminal(EDITOR), CODE_OR_PASTE),
            ("a console without a display", LOGIN, at_terminal(NOWHERE), CODE_OR_PASTE),
            ("no display and no terminal", LOGIN, NOWHERE, CODE_OR_BY_HAND),
            ("a build machine with a terminal", LOGIN, at_terminal(CI), CODE_OR_PASTE),
            ("a caller over SSH at a terminal", CALLER, at_terminal(SSH), CODE_OR_PASTE),
        ]);
    }

    #[test]
    fn where_nobody_would_see_it_nobody_is_asked() {
        let named = Asked { named: true, ..CALLER };
        let code = Asked { flow: Flow::Device, ..CALLER };
        let none = Asked { browser: &Browser::Nobody, ..CALLER };
        all([
            ("a caller over SSH", CALLER, SSH, NO_TERMINAL),
            ("a caller in a container", CALLER, CONTAINER, NO_TERMINAL),
            ("a caller whose browser is none", none, DISPLAY, NO_TERMINAL),
            ("a caller whose profile asks for a code", code, DISPLAY, NO_TERMINAL),
            ("a caller at a build machine", CALLER, CI, UNATTENDED),
            ("login at a build machine", LOGIN, CI, UNATTENDED),
            (
                "login at a build machine with a display",
                LOGIN,
                Surroundings { display: true, ..CI },
                UNATTENDED,
            ),
            ("a build whose profile names a browser", named, CI, BROWSER),
        ]);
    }

    #[test]
    fn whoever_says_how_is_obeyed() {
        let variable = in_variable();
        let flag = Asked { wish: Wish::Device, ..LOGIN };
        let by_hand = Asked { wish: Wish::NoBrowser, ..LOGIN };
        let browser = Asked { flow: Flow::Browser, ..LOGIN };
        let code = Asked { flow: Flow::Device, ..LOGIN };
        let paste = Asked { flow: Flow::Paste, ..LOGIN };
        let named = Asked { named: true, browser: &variable, ..LOGIN };
        all([
            ("--device at a desktop", flag, DESKTOP, CODE),
            ("--device at a build machine", flag, CI, CODE),
            (
                "--device although the profile names a browser",
                Asked { wish: Wish::Device, ..named },
                DISPLAY,
                CODE,
            ),
            ("flow = device at a desktop", code, DESKTOP, CODE),
            ("flow = browser over SSH", browser, SSH, BROWSER),
            (
                "flow = browser, and browser none",
                Asked { browser: &Browser::Nobody, ..browser },
                SSH,
                BY_HAND,
            ),
            (
                "flow = browser and --no-browser over SSH",
                Asked { wish: Wish::NoBrowser, ..browser },
                at_terminal(SSH),
                BY_HAND,
            ),
            ("flow = paste at a desktop's terminal", paste, at_terminal(DISPLAY), PASTE),
            ("flow = paste without a terminal", paste, DISPLAY, [Err(NoWay::NowhereToPaste); 2]),
            ("--no-browser at a desktop", by_hand, DISPLAY, BY_HAND),
            (
                "--no-browser although the profile names one",
                Asked { wish: Wish::NoBrowser, ..named },
                DISPLAY,
                BY_HAND,
            ),
            ("--no-browser over SSH", by_hand, at_terminal(SSH), CODE_OR_PASTE),
            ("the profile names a browser, over SSH", named, SSH, BROWSER),
            (
                "the profile names a browser and paste",
                Asked { flow: Flow::Paste, ..named },
                at_terminal(SSH),
                PASTE,
            ),
        ]);
    }
}
