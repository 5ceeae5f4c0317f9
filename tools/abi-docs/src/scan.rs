//! Finds implemented calls in source text.

/// A definition found in a source file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Definition {
    /// The call, without any prefix.
    pub(crate) name: String,
    /// What the `PARTIAL:` note above it says.
    pub(crate) partial: Option<String>,
}

/// `fn sys_<name>` definitions in Rust source.
pub(crate) fn kernel_calls(source: &str) -> Vec<Definition> {
    definitions(source, |line| word_after(line, "fn sys_"))
}

/// Functions of the vDSO: `.BEGIN <name>` or `zx_<name>:` in its assembly, `fn zx_<name>` in Rust.
pub(crate) fn vdso_calls(source: &str) -> Vec<Definition> {
    definitions(source, |line| {
        let label = || line.strip_prefix("zx_")?.strip_suffix(':');
        word_after(line, ".BEGIN ")
            .or_else(|| word_after(line, "fn zx_"))
            .or_else(label)
    })
}

fn definitions(source: &str, name_in: impl Fn(&str) -> Option<&str>) -> Vec<Definition> {
    let lines: Vec<&str> = source.lines().map(str::trim).collect();
    let code = lines
        .iter()
        .enumerate()
        .filter(|(_, line)| !is_comment(line));
    code.filter_map(|(index, line)| {
        let name = name_in(line)?.to_owned();
        let above = lines.get(..index).unwrap_or_default();
        Some(Definition {
            name,
            partial: partial_note(above),
        })
    })
    .collect()
}

fn is_comment(line: &str) -> bool {
    let hash = line.starts_with('#') && !line.starts_with("#[") && !line.starts_with("#!");
    hash || line.starts_with("//") || line.starts_with("/*")
}

/// The identifier behind `prefix`, which must itself begin a word.
fn word_after<'a>(line: &'a str, prefix: &str) -> Option<&'a str> {
    let at = line.find(prefix)?;
    let (before, rest) = (line.get(..at)?, line.get(at + prefix.len()..)?);
    if before.ends_with(is_word) {
        return None;
    }
    let end = rest.find(|c| !is_word(c)).unwrap_or(rest.len());
    rest.get(..end).filter(|word| !word.is_empty())
}

fn is_word(c: char) -> bool {
    c.is_ascii_alphanumeric() || c == '_'
}

/// The note among the comments and attributes that end `above`; its text may go on over more plain comment lines.
fn partial_note(above: &[&str]) -> Option<String> {
    let attached = above
        .iter()
        .rev()
        .take_while(|line| is_comment(line) || line.starts_with("#["))
        .count();
    let attached = above.get(above.len() - attached..)?;
    let text = |line: &str| {
        line.trim_start_matches(['/', '*', '#'])
            .trim()
            .trim_end_matches("*/")
            .trim()
            .to_owned()
    };
    let first = attached
        .iter()
        .position(|line| is_comment(line) && text(line).starts_with("PARTIAL:"))?;
    let mut note = text(attached.get(first)?)
        .trim_start_matches("PARTIAL:")
        .trim()
        .to_owned();
    for line in attached
        .get(first + 1..)?
        .iter()
        .take_while(|line| is_comment(line) && !line.starts_with("///"))
    {
        note.push(' ');
        note.push_str(&text(line));
    }
    Some(note)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn definition(name: &str, partial: Option<&str>) -> Definition {
        Definition {
            name: name.to_owned(),
            partial: partial.map(str::to_owned),
        }
    }

    #[test]
    fn functions_with_the_prefix_are_calls_and_comments_are_not() {
        let source = "// fn sys_event_create\npub(crate) async fn sys_nanosleep(\n    fn sys_vmo_read<T>(x: T)\nlet y = sys_a();";
        assert_eq!(
            kernel_calls(source),
            [definition("nanosleep", None), definition("vmo_read", None)]
        );
    }

    #[test]
    fn a_note_above_a_function_makes_it_partial() {
        let source = "/// Docs.\n// PARTIAL: no slices,\n// no pagers\n#[inline]\nfn sys_vmo_create_child() {}\n\nfn sys_vmo_read() {}";
        let expected = [
            definition("vmo_create_child", Some("no slices, no pagers")),
            definition("vmo_read", None),
        ];
        assert_eq!(kernel_calls(source), expected);
    }

    #[test]
    fn a_note_belongs_to_the_next_function_only() {
        let source = "// PARTIAL: x\nfn sys_a() {\n}\nfn sys_b() {}";
        assert_eq!(
            kernel_calls(source),
            [definition("a", Some("x")), definition("b", None)]
        );
    }

    #[test]
    fn vdso_functions_are_defined_by_directive_label_or_function_and_not_by_mention() {
        let source = "# zx_comment:\n.BEGIN ticks_get\n    call zx_mentioned\nzx_cprng_draw:\npub extern \"C\" fn zx_cache_flush() {}";
        let expected =
            ["ticks_get", "cprng_draw", "cache_flush"].map(|name| definition(name, None));
        assert_eq!(vdso_calls(source), expected);
    }
}
