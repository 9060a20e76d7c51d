//! `WWW-Authenticate` (RFC 9110 §11.6.1) and `Link` (RFC 8288 §3), as registries send them.

/// One challenge: a scheme in lower case and its parameters.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Challenge {
    pub(super) scheme: String,
    parameters: Vec<(String, String)>,
}

impl Challenge {
    /// The value of a parameter, if it is not empty.
    pub(super) fn get(&self, name: &str) -> Option<&str> {
        let (_, value) = self.parameters.iter().find(|(found, _)| found == name)?;
        (!value.is_empty()).then_some(value)
    }
}

/// The challenges of all headers, in their order. What cannot be understood ends its header.
pub(super) fn parse_challenges<'a>(headers: impl Iterator<Item = &'a str>) -> Vec<Challenge> {
    let mut challenges = Vec::new();
    for header in headers {
        let mut cursor = Cursor(header);
        // Parameters belong to a scheme of the same header.
        let first = challenges.len();
        while let Some(word) = cursor.word() {
            if !cursor.eat('=') {
                challenges.push(Challenge { scheme: word.to_ascii_lowercase(), parameters: Vec::new() });
                continue;
            }
            match cursor.value() {
                Some(value) => {
                    if let Some(challenge) = challenges.get_mut(first..).and_then(<[_]>::last_mut) {
                        challenge.parameters.push((word.to_ascii_lowercase(), value));
                    }
                }
                // The padding of a token68.
                None => while cursor.eat('=') {},
            }
        }
    }
    challenges
}

struct Cursor<'a>(&'a str);

impl<'a> Cursor<'a> {
    /// The next token, or token68 without its padding, behind spaces and commas.
    fn word(&mut self) -> Option<&'a str> {
        self.0 = self.0.trim_start_matches([' ', '\t', ',']);
        self.token().filter(|word| !word.is_empty())
    }

    fn token(&mut self) -> Option<&'a str> {
        let legal = |c: char| c.is_ascii_alphanumeric() || "!#$%&'*+-.^_`|~/:".contains(c);
        let end = self.0.find(|c| !legal(c)).unwrap_or(self.0.len());
        let (word, rest) = self.0.split_at_checked(end)?;
        self.0 = rest;
        Some(word)
    }

    fn eat(&mut self, wanted: char) -> bool {
        match self.0.trim_start_matches([' ', '\t']).strip_prefix(wanted) {
            Some(rest) => {
                self.0 = rest;
                true
            }
            None => false,
        }
    }

    /// A token or quoted string; a string that does not end is not a value.
    fn value(&mut self) -> Option<String> {
        self.0 = self.0.trim_start_matches([' ', '\t']);
        let Some(quoted) = self.0.strip_prefix('"') else {
            return self.token().filter(|word| !word.is_empty()).map(str::to_owned);
        };
        let mut value = String::new();
        let mut chars = quoted.char_indices();
        while let Some((index, c)) = chars.next() {
            match c {
                '"' => {
                    self.0 = quoted.get(index.saturating_add(1)..).unwrap_or_default();
                    return Some(value);
                }
                '\\' => value.push(chars.next()?.1),
                other => value.push(other),
            }
        }
        self.0 = "";
        None
    }
}

/// The target of the link whose relation is `next`.
pub(super) fn next_link<'a>(headers: impl Iterator<Item = &'a str>) -> Option<String> {
    for header in headers {
        let mut rest = header;
        while let Some((_, after)) = rest.split_once('<') {
            let (target, parameters) = after.split_once('>')?;
            // A comma ends this link only outside of quotes; a quoted "<" is no link either.
            let (parameters, following) = split_unquoted(parameters);
            if is_next(parameters) {
                return Some(target.trim().to_owned());
            }
            rest = following;
        }
    }
    None
}

fn split_unquoted(text: &str) -> (&str, &str) {
    let mut quoted = false;
    let end = text.find(|c| {
        quoted ^= c == '"';
        c == ',' && !quoted
    });
    end.and_then(|end| text.split_at_checked(end)).unwrap_or((text, ""))
}

fn is_next(parameters: &str) -> bool {
    parameters.split(';').filter_map(|parameter| parameter.split_once('=')).any(|(name, value)| {
        name.trim().eq_ignore_ascii_case("rel")
            && value.trim().trim_matches('"').split_ascii_whitespace().any(|rel| rel.eq_ignore_ascii_case("next"))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(header: &str) -> Vec<Challenge> {
        parse_challenges([header].into_iter())
    }

    #[test]
    fn a_bearer_challenge_as_registries_send_it() {
        let header = r#"Bearer realm="https://auth.docker.io/token",service="registry.docker.io",scope="repository:a/b:pull,push",error="insufficient_scope""#;
        let [bearer] = &parse(header)[..] else { panic!() };
        assert_eq!(bearer.scheme, "bearer");
        assert_eq!(bearer.get("realm"), Some("https://auth.docker.io/token"));
        assert_eq!(bearer.get("scope"), Some("repository:a/b:pull,push"));
        assert_eq!(bearer.get("nothing"), None);
    }

    #[test]
    fn several_challenges_in_one_header_and_in_several() {
        let headers =
            [r#"Negotiate abc==, BASIC realm = "a \"b\", c" , charset=UTF-8"#, "Bearer realm=x", "junk\u{1}x"];
        let found = parse_challenges(headers.into_iter());
        let schemes: Vec<_> = found.iter().map(|challenge| challenge.scheme.as_str()).collect();
        assert_eq!(schemes, ["negotiate", "basic", "bearer", "junk"]);
        assert_eq!(found[1].get("realm"), Some(r#"a "b", c"#));
        assert_eq!(found[1].get("charset"), Some("UTF-8"));
        assert_eq!(found[2].get("realm"), Some("x"));
    }

    #[test]
    fn hostile_headers_end_and_give_nothing_wrong() {
        for header in
            ["", ",,,", "=", "=x", "Bearer realm=", "Bearer realm=\"x", "Bearer realm=\"x\\", "a=b", "====", "\"\""]
        {
            assert!(parse(header).iter().all(|challenge| challenge.get("realm").is_none()), "{header}");
        }
        assert_eq!(parse(&"a,".repeat(10_000)).len(), 10_000);
    }

    #[test]
    fn the_next_link_is_found_among_others() {
        let next = |header: &str| next_link([header].into_iter());
        assert_eq!(
            next("</v2/a/referrers/d?n=2&last=x>; rel=\"next\"").as_deref(),
            Some("/v2/a/referrers/d?n=2&last=x")
        );
        assert_eq!(next("<a>; rel=prev, <b>; title=\"x, <c>; rel=next\"; REL=\"last Next\"").as_deref(), Some("b"));
        for none in ["", "<a>", "<a>; rel=prev", "a; rel=next", "<a; rel=next", "<a>; rel=nextish"] {
            assert_eq!(next(none), None, "{none}");
        }
    }
}
