//! Chooses the sign-in method: a pure function of the request, the profile and the place where the program runs.
//!
//! It makes no network request. If the method depends on whether the provider supports device codes, the plan says so,
//! and [`MethodPlan::resolve_method`] decides once that is known. Each choice comes with its reason, for the log and
//! for `doctor`.

use crate::{
    config::SignInFlow,
    host::{Browser, ExecutionContext},
    session::{MethodPreference, NoSignInMethod},
};

/// What the command line and the profile ask for.
#[derive(Clone, Copy, Debug)]
pub(super) struct MethodInputs<'a> {
    /// The caller is a program (an SDK, a host). It hides the output, so the user sees only what is written to a
    /// terminal.
    pub(super) is_automatic: bool,
    pub(super) preference: MethodPreference,
    pub(super) flow: SignInFlow,
    /// The profile names a browser.
    pub(super) names_browser: bool,
    /// The browser that would be opened.
    pub(super) browser: &'a Browser,
}

/// How the user signs in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SignInMethod {
    /// The program opens a browser on this machine.
    Browser,
    /// The user opens a local address in a browser on this machine.
    ManualBrowser,
    /// The user enters a code in any browser.
    DeviceCode,
    /// The user signs in with any browser, and pastes its last address at the terminal.
    Paste,
}

/// The chosen plan, with the reason in a few words.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct MethodChoice {
    pub(super) plan: MethodPlan,
    pub(super) reason: &'static str,
}

/// The method, as far as it is known without the provider.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum MethodPlan {
    Use(SignInMethod),
    /// A device code if the provider supports it, else this method.
    DeviceCodeOr(SignInMethod),
    /// No method can work here.
    Refuse(NoSignInMethod),
}

impl MethodPlan {
    /// The method, once it is known whether the provider supports device codes.
    pub(super) fn resolve_method(self, gives_codes: bool) -> Result<SignInMethod, NoSignInMethod> {
        match self {
            Self::Use(way) => Ok(way),
            Self::DeviceCodeOr(_) if gives_codes => Ok(SignInMethod::DeviceCode),
            Self::DeviceCodeOr(otherwise) => Ok(otherwise),
            Self::Refuse(why) => Err(why),
        }
    }
}

/// Chooses the method. The command line decides first, then the profile. If both leave it open (`auto`), a browser
/// opens where the user can see it, and elsewhere the user gets a code or an address for a browser of their choice.
///
/// The order of the arms is the rule: `--device`, then a browser that the profile names, come before the refusal of
/// build machines, because both are an explicit statement that a user is there.
pub(super) fn choose_method(asked: &MethodInputs<'_>, context: &ExecutionContext) -> MethodChoice {
    let unattended = context.ci && !context.terminal;
    match (asked.preference, asked.flow) {
        (MethodPreference::Device, _) => {
            use_if_visible(asked, context, SignInMethod::DeviceCode, "the command line requests a code")
        }
        (MethodPreference::Any, SignInFlow::Auto | SignInFlow::Browser) if asked.names_browser => {
            use_method(SignInMethod::Browser, "the profile names a browser")
        }
        _ if unattended => refuse_method(NoSignInMethod::Unattended, "a build machine without a terminal"),
        (MethodPreference::Any, SignInFlow::Device) => {
            use_if_visible(asked, context, SignInMethod::DeviceCode, "the profile sets flow = \"device\"")
        }
        (_, SignInFlow::Paste) if context.terminal => {
            use_method(SignInMethod::Paste, "the profile sets flow = \"paste\"")
        }
        (_, SignInFlow::Paste) => refuse_method(NoSignInMethod::NoTerminalToPaste, "flow = \"paste\" needs a terminal"),
        (MethodPreference::NoBrowser, SignInFlow::Browser | SignInFlow::Device) => {
            use_if_visible(asked, context, SignInMethod::ManualBrowser, "the command line sets --no-browser")
        }
        (MethodPreference::Any, SignInFlow::Browser) if *asked.browser == Browser::Disabled => {
            use_if_visible(asked, context, SignInMethod::ManualBrowser, "the browser setting is `none`")
        }
        (MethodPreference::Any, SignInFlow::Browser) => {
            use_method(SignInMethod::Browser, "the profile sets flow = \"browser\"")
        }
        (_, SignInFlow::Auto) => choose_by_surroundings(asked, context),
    }
}

/// The choice for `flow = "auto"`: a browser on this machine, if the user can see it.
fn choose_by_surroundings(asked: &MethodInputs<'_>, context: &ExecutionContext) -> MethodChoice {
    let opens_none = asked.preference == MethodPreference::NoBrowser || *asked.browser == Browser::Disabled;
    match check_local_browser(asked.browser, context) {
        Ok(reason) if opens_none => use_if_visible(asked, context, SignInMethod::ManualBrowser, reason),
        Ok(reason) => use_method(SignInMethod::Browser, reason),
        Err(reason) if !is_output_visible(asked, context) => refuse_method(NoSignInMethod::NoTerminal, reason),
        Err(reason) => {
            let otherwise = if context.terminal { SignInMethod::Paste } else { SignInMethod::ManualBrowser };
            MethodChoice { plan: MethodPlan::DeviceCodeOr(otherwise), reason }
        }
    }
}

/// Why this machine cannot show a page that is not a sign-in (the AWS console); `None` if it can. Of the profile's flow
/// only `browser` matters here: it says that a browser is visible, while the others say how users sign in.
pub(super) fn find_browser_obstacle(asked: &MethodInputs<'_>, context: &ExecutionContext) -> Option<&'static str> {
    match asked.browser {
        Browser::Disabled => Some("the browser is `none`"),
        _ if asked.names_browser => None,
        _ if context.ci && !context.terminal => Some("a build machine without a terminal"),
        _ if asked.flow == SignInFlow::Browser => None,
        browser => check_local_browser(browser, context).err(),
    }
}

/// The reason why the user can see a browser that opens on this machine, or why not.
fn check_local_browser(browser: &Browser, context: &ExecutionContext) -> Result<&'static str, &'static str> {
    let in_variable = matches!(browser, Browser::Command(_));
    match context {
        // The editor's helper opens the address on the user's own machine, and the editor forwards the port.
        ExecutionContext { remote_editor: true, .. } if in_variable => Ok("a remote editor sets $BROWSER"),
        ExecutionContext { ssh: true, display: false, .. } => Err("an SSH session without a display"),
        ExecutionContext { remote_editor: true, display: false, .. } => Err("a remote editor without $BROWSER"),
        _ if in_variable => Ok("$BROWSER names a browser"),
        ExecutionContext { desktop: true, .. } => Ok("this system has a desktop"),
        ExecutionContext { windows_interop: true, .. } => Ok("WSL can open a browser of Windows"),
        ExecutionContext { display: true, .. } => Ok("this machine has a display"),
        ExecutionContext { container: true, .. } => Err("a container without a display"),
        ExecutionContext { wsl: true, .. } => Err("WSL without a display and without Windows programs"),
        _ => Err("no display"),
    }
}

/// Whether the user sees a printed address or code. Automatic callers hide everything but the terminal.
fn is_output_visible(asked: &MethodInputs<'_>, context: &ExecutionContext) -> bool {
    !asked.is_automatic || context.terminal
}

/// Uses a method that shows text to the user, and refuses it if the user would not see the text.
fn use_if_visible(
    asked: &MethodInputs<'_>,
    context: &ExecutionContext,
    way: SignInMethod,
    reason: &'static str,
) -> MethodChoice {
    if is_output_visible(asked, context) {
        use_method(way, reason)
    } else {
        refuse_method(NoSignInMethod::NoTerminal, reason)
    }
}

fn use_method(way: SignInMethod, reason: &'static str) -> MethodChoice {
    MethodChoice { plan: MethodPlan::Use(way), reason }
}

fn refuse_method(why: NoSignInMethod, reason: &'static str) -> MethodChoice {
    MethodChoice { plan: MethodPlan::Refuse(why), reason }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOWHERE: ExecutionContext = ExecutionContext {
        terminal: false,
        desktop: false,
        display: false,
        ssh: false,
        remote_editor: false,
        wsl: false,
        windows_interop: false,
        container: false,
        ci: false,
    };
    const DISPLAY: ExecutionContext = ExecutionContext { display: true, ..NOWHERE };
    const DESKTOP: ExecutionContext = ExecutionContext { desktop: true, ..NOWHERE };
    const SSH: ExecutionContext = ExecutionContext { ssh: true, ..NOWHERE };
    const WSL: ExecutionContext = ExecutionContext { wsl: true, ..NOWHERE };
    const INTEROP: ExecutionContext = ExecutionContext { windows_interop: true, ..WSL };
    const EDITOR: ExecutionContext = ExecutionContext { remote_editor: true, ..NOWHERE };
    const CONTAINER: ExecutionContext = ExecutionContext { container: true, ..NOWHERE };
    const CI: ExecutionContext = ExecutionContext { ci: true, ..NOWHERE };

    fn at_terminal(context: ExecutionContext) -> ExecutionContext {
        ExecutionContext { terminal: true, ..context }
    }

    fn in_variable() -> Browser {
        Browser::Command(vec!["firefox".into()])
    }

    /// `login` without any preference.
    const LOGIN: MethodInputs<'static> = MethodInputs {
        is_automatic: false,
        preference: MethodPreference::Any,
        flow: SignInFlow::Auto,
        names_browser: false,
        browser: &Browser::System,
    };
    const CALLER: MethodInputs<'static> = MethodInputs { is_automatic: true, ..LOGIN };

    /// The method with a provider that supports device codes, and with one that does not.
    type Ways = [Result<SignInMethod, NoSignInMethod>; 2];

    fn ways(asked: MethodInputs<'_>, context: ExecutionContext) -> Ways {
        let MethodChoice { plan, reason } = choose_method(&asked, &context);
        assert!(!reason.is_empty());
        [plan.resolve_method(true), plan.resolve_method(false)]
    }

    /// Each row: a name, the request, the context, and the expected methods.
    #[track_caller]
    fn all<const N: usize>(rows: [(&str, MethodInputs<'_>, ExecutionContext, Ways); N]) {
        for (name, asked, context, expected) in rows {
            assert_eq!(ways(asked, context), expected, "{name}");
        }
    }

    const BROWSER: Ways = [Ok(SignInMethod::Browser); 2];
    const BY_HAND: Ways = [Ok(SignInMethod::ManualBrowser); 2];
    const CODE: Ways = [Ok(SignInMethod::DeviceCode); 2];
    const PASTE: Ways = [Ok(SignInMethod::Paste); 2];
    const CODE_OR_PASTE: Ways = [Ok(SignInMethod::DeviceCode), Ok(SignInMethod::Paste)];
    const CODE_OR_BY_HAND: Ways = [Ok(SignInMethod::DeviceCode), Ok(SignInMethod::ManualBrowser)];
    const UNATTENDED: Ways = [Err(NoSignInMethod::Unattended); 2];
    const NO_TERMINAL: Ways = [Err(NoSignInMethod::NoTerminal); 2];

    #[test]
    fn a_browser_opens_where_the_user_can_see_it() {
        let variable = in_variable();
        let login = MethodInputs { browser: &variable, ..LOGIN };
        all([
            ("a Linux desktop", LOGIN, DISPLAY, BROWSER),
            ("a Linux desktop, for a caller", CALLER, DISPLAY, BROWSER),
            ("macOS or Windows", LOGIN, DESKTOP, BROWSER),
            ("macOS or Windows, for a caller", CALLER, DESKTOP, BROWSER),
            ("WSL with interop", LOGIN, INTEROP, BROWSER),
            ("WSL without interop but with a display", LOGIN, ExecutionContext { display: true, ..WSL }, BROWSER),
            ("SSH with a forwarded display", LOGIN, ExecutionContext { display: true, ..SSH }, BROWSER),
            ("a container with a display", LOGIN, ExecutionContext { display: true, ..CONTAINER }, BROWSER),
            ("$BROWSER without a display", login, NOWHERE, BROWSER),
            ("$BROWSER in a container", login, CONTAINER, BROWSER),
            ("$BROWSER of VS Code over SSH", login, ExecutionContext { ssh: true, ..EDITOR }, BROWSER),
            ("$BROWSER of Codespaces", login, ExecutionContext { container: true, ..EDITOR }, BROWSER),
        ]);
    }

    #[test]
    fn without_a_local_browser_the_user_gets_a_code_or_address() {
        let variable = in_variable();
        let firefox = MethodInputs { browser: &variable, ..LOGIN };
        all([
            ("SSH at a terminal", LOGIN, at_terminal(SSH), CODE_OR_PASTE),
            ("SSH, shown by a host", LOGIN, SSH, CODE_OR_BY_HAND),
            ("SSH with $BROWSER=firefox and no display", firefox, at_terminal(SSH), CODE_OR_PASTE),
            ("macOS over SSH", LOGIN, at_terminal(ExecutionContext { ssh: true, ..DESKTOP }), CODE_OR_PASTE),
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
    fn an_invisible_prompt_is_refused() {
        let named = MethodInputs { names_browser: true, ..CALLER };
        let code = MethodInputs { flow: SignInFlow::Device, ..CALLER };
        let none = MethodInputs { browser: &Browser::Disabled, ..CALLER };
        all([
            ("a caller over SSH", CALLER, SSH, NO_TERMINAL),
            ("a caller in a container", CALLER, CONTAINER, NO_TERMINAL),
            ("a caller with the browser disabled", none, DISPLAY, NO_TERMINAL),
            ("a caller whose profile asks for a code", code, DISPLAY, NO_TERMINAL),
            ("a caller at a build machine", CALLER, CI, UNATTENDED),
            ("login at a build machine", LOGIN, CI, UNATTENDED),
            ("login at a build machine with a display", LOGIN, ExecutionContext { display: true, ..CI }, UNATTENDED),
            ("a build whose profile names a browser", named, CI, BROWSER),
        ]);
    }

    #[test]
    fn a_page_opens_where_a_browser_is_visible() {
        let none = MethodInputs { browser: &Browser::Disabled, names_browser: true, ..LOGIN };
        let named = MethodInputs { names_browser: true, ..LOGIN };
        let flow = |flow| MethodInputs { flow, ..LOGIN };
        for (name, asked, context, is_shown) in [
            ("a desktop", LOGIN, DESKTOP, true),
            ("a desktop with a flow by code", flow(SignInFlow::Device), DESKTOP, true),
            ("a desktop with a flow by paste", flow(SignInFlow::Paste), DISPLAY, true),
            ("SSH", LOGIN, at_terminal(SSH), false),
            ("SSH with a flow by browser", flow(SignInFlow::Browser), at_terminal(SSH), true),
            ("SSH with a browser of the profile", named, at_terminal(SSH), true),
            ("a desktop with the browser disabled", none, DESKTOP, false),
            ("a console without a display", LOGIN, at_terminal(NOWHERE), false),
            ("a build machine", LOGIN, CI, false),
            ("a build machine with a browser of the profile", named, CI, true),
        ] {
            assert_eq!(find_browser_obstacle(&asked, &context).is_none(), is_shown, "{name}");
        }
    }

    #[test]
    fn an_explicit_choice_decides_the_sign_in_method() {
        let variable = in_variable();
        let flag = MethodInputs { preference: MethodPreference::Device, ..LOGIN };
        let by_hand = MethodInputs { preference: MethodPreference::NoBrowser, ..LOGIN };
        let browser = MethodInputs { flow: SignInFlow::Browser, ..LOGIN };
        let code = MethodInputs { flow: SignInFlow::Device, ..LOGIN };
        let paste = MethodInputs { flow: SignInFlow::Paste, ..LOGIN };
        let named = MethodInputs { names_browser: true, browser: &variable, ..LOGIN };
        all([
            ("--device at a desktop", flag, DESKTOP, CODE),
            ("--device at a build machine", flag, CI, CODE),
            (
                "--device although the profile names a browser",
                MethodInputs { preference: MethodPreference::Device, ..named },
                DISPLAY,
                CODE,
            ),
            ("flow = device at a desktop", code, DESKTOP, CODE),
            ("flow = browser over SSH", browser, SSH, BROWSER),
            ("flow = browser, and browser none", MethodInputs { browser: &Browser::Disabled, ..browser }, SSH, BY_HAND),
            (
                "flow = browser and --no-browser over SSH",
                MethodInputs { preference: MethodPreference::NoBrowser, ..browser },
                at_terminal(SSH),
                BY_HAND,
            ),
            ("flow = paste at a desktop's terminal", paste, at_terminal(DISPLAY), PASTE),
            ("flow = paste without a terminal", paste, DISPLAY, [Err(NoSignInMethod::NoTerminalToPaste); 2]),
            ("--no-browser at a desktop", by_hand, DISPLAY, BY_HAND),
            (
                "--no-browser although the profile names one",
                MethodInputs { preference: MethodPreference::NoBrowser, ..named },
                DISPLAY,
                BY_HAND,
            ),
            ("--no-browser over SSH", by_hand, at_terminal(SSH), CODE_OR_PASTE),
            ("the profile names a browser, over SSH", named, SSH, BROWSER),
            (
                "the profile names a browser and paste",
                MethodInputs { flow: SignInFlow::Paste, ..named },
                at_terminal(SSH),
                PASTE,
            ),
        ]);
    }
}
