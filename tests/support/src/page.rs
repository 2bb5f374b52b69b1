//! The pages that the provider shows to a user.

pub(crate) fn sign_in(ticket: &str, email: &str) -> String {
    page(
        "Sign in",
        &format!(
            "<p>bedrock-sso asks who you are.</p>\
             <form method=\"post\" action=\"/login\">\
             <input type=\"hidden\" name=\"ticket\" value=\"{ticket}\">\
             <button name=\"choice\" value=\"sign-in\" autofocus>Sign in as {email}</button>\
             <button name=\"choice\" value=\"deny\" class=\"quiet\">Deny</button></form>"
        ),
    )
}

pub(crate) fn enter_code(code: &str) -> String {
    page(
        "Connect a device",
        &format!(
            "<p>Enter the code that your terminal shows.</p>\
             <form method=\"post\" action=\"/device\">\
             <input name=\"user_code\" value=\"{code}\" autofocus>\
             <button name=\"choice\" value=\"sign-in\">Sign in</button>\
             <button name=\"choice\" value=\"deny\" class=\"quiet\">Deny</button></form>"
        ),
    )
}

pub(crate) fn code_taken() -> String {
    page("Thank you", "<p>You can return to your terminal.</p>")
}

/// The page at the start URL of IAM Identity Center.
pub(crate) fn portal() -> String {
    page("AWS access portal", "<p>The accounts and permission sets of a user.</p>")
}

pub(crate) fn refusal(what: &str) -> String {
    page("This request cannot go on", &format!("<p>{what}</p>"))
}

fn page(title: &str, body: &str) -> String {
    format!(
        "<!doctype html><html lang=\"en\"><meta charset=\"utf-8\">\
         <meta name=\"viewport\" content=\"width=device-width\"><title>{title} - Demo provider</title>\
         <style>{STYLE}</style><main><h1>{title}</h1>{body}\
         <footer>A demo identity provider on this very machine. No password, no network.</footer></main></html>"
    )
}

const STYLE: &str = "\
:root{color-scheme:light dark}\
body{font:16px/1.5 system-ui,sans-serif;margin:0;display:grid;place-items:center;min-height:100vh;\
background:light-dark(#f4f5f7,#16181d)}\
main{background:light-dark(#fff,#22252c);padding:2.5rem;border-radius:12px;width:min(22rem,80vw);\
box-shadow:0 4px 24px #0002}\
h1{font-size:1.4rem;margin:0 0 .5rem}\
button{font:inherit;display:block;width:100%;padding:.7rem;margin-top:.8rem;border:0;border-radius:8px;\
background:#2457d6;color:#fff;cursor:pointer}\
button.quiet{background:none;color:inherit;opacity:.7}\
footer{margin-top:2rem;font-size:.8rem;opacity:.6}";
