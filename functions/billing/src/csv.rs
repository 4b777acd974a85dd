//! Tables as comma-separated values ([RFC 4180]), safe to open in a spreadsheet.
//!
//! [RFC 4180]: https://www.rfc-editor.org/rfc/rfc4180

use std::fmt::Display;

use ::csv::{Terminator, WriterBuilder};
use domain::ports::{Failure, Outcome};

/// The characters with which a formula or a command begins in a spreadsheet ([OWASP]).
///
/// [OWASP]: https://owasp.org/www-community/attacks/CSV_Injection
const FORMULA: [char; 11] = ['=', '+', '-', '@', '\t', '\r', '\n', '＝', '＋', '－', '＠'];

/// Writes a table: one line with the names of the columns, and one for each row.
///
/// # Errors
///
/// The table can't be written: a defect.
pub fn table<const N: usize>(
    columns: [&str; N],
    rows: impl IntoIterator<Item = [String; N]>,
) -> Outcome<String> {
    let broken = |error: &dyn Display| Failure::Broken(format!("a table: {error}"));
    let mut writer = WriterBuilder::new().terminator(Terminator::CRLF).from_writer(Vec::new());
    writer.write_record(columns).map_err(|error| broken(&error))?;
    for row in rows {
        writer.write_record(row.map(harmless)).map_err(|error| broken(&error))?;
    }
    let bytes = writer.into_inner().map_err(|error| broken(&error))?;
    String::from_utf8(bytes).map_err(|error| broken(&error))
}

/// A cell that no spreadsheet takes for a formula: an apostrophe marks it as text. Numbers stay numbers.
fn harmless(cell: String) -> String {
    if cell.starts_with(FORMULA) && !is_whole_number(&cell) { format!("'{cell}") } else { cell }
}

fn is_whole_number(cell: &str) -> bool {
    let digits = cell.strip_prefix('-').unwrap_or(cell);
    !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cells_are_quoted_where_they_must_be() {
        let rows = [["a,b", "say \"hi\""], ["two\r\nlines", ""], ["é", " x "]];
        let rows = rows.map(|row| row.map(str::to_owned));
        let written = table(["one", "two"], rows).unwrap();
        assert_eq!(written, "one,two\r\n\"a,b\",\"say \"\"hi\"\"\"\r\n\"two\r\nlines\",\r\né, x \r\n");
    }

    #[test]
    fn table_without_rows_has_its_columns() {
        assert_eq!(table(["one", "two"], []).unwrap(), "one,two\r\n");
    }

    #[test]
    fn formulas_become_text_and_numbers_stay() {
        for formula in
            ["=1+1", "+1", "-1+1", "-", "--1", "-1.5", "@SUM(A1)", "\t=1", "\r=1", "\n=1", "＝1", "-é"]
        {
            assert_eq!(harmless(formula.to_owned()), format!("'{formula}"));
        }
        for plain in ["", "1", "-1", "-1000000", "1+1", "a=1", "'=1", " =1", "[-1]"] {
            assert_eq!(harmless(plain.to_owned()), plain);
        }
    }
}
