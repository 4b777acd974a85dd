//! Lists of objects, in pages (<https://docs.stripe.com/api/pagination>).

use serde_json::{Value, json};

use crate::{api_error::ApiError, params::Params};

/// The parameters that every list allows, besides its filters.
pub(crate) const LIST_PARAMS: [&str; 4] = ["limit", "starting_after", "ending_before", "created"];

/// Answers one page of a list. `objects` are all that the filters selected, newest first. `url` is the path
/// of the list, for example `/v1/charges`.
///
/// # Errors
///
/// 400, if a parameter of the page is wrong, or names an object that the list does not have.
pub(crate) fn list_answer(params: &Params, objects: Vec<&Value>, url: &str) -> Result<Value, ApiError> {
    let limit = params.integer("limit")?.unwrap_or(10);
    if !(1..=100).contains(&limit) {
        let message = "The limit must be between 1 and 100.";
        return Err(ApiError::invalid_code("parameter_invalid_integer", "limit", message));
    }
    let limit = usize::try_from(limit).unwrap_or(10);
    let created = CreatedRange::read(params)?;
    let objects: Vec<&Value> = objects.into_iter().filter(|object| created.contains(object)).collect();
    let position = |param: &str| match params.text(param) {
        None => Ok(None),
        Some(id) => objects.iter().position(|object| text(object, "id") == id).map(Some).ok_or_else(|| {
            ApiError::not_found(format!("The list has no object with the id '{id}'.")).for_param(param)
        }),
    };
    let (page, has_more): (Vec<&Value>, bool) =
        match (position("starting_after")?, position("ending_before")?) {
            (Some(_), Some(_)) => {
                let message = "Provide starting_after or ending_before, not both.";
                return Err(ApiError::invalid("starting_after", message));
            }
            (None, Some(end)) => {
                let start = end.saturating_sub(limit);
                (objects.iter().skip(start).take(end.saturating_sub(start)).copied().collect(), start > 0)
            }
            (after, None) => {
                let start = after.map_or(0, |index| index.saturating_add(1));
                let page = objects.iter().skip(start).take(limit).copied().collect();
                (page, objects.len() > start.saturating_add(limit))
            }
        };
    Ok(json!({ "object": "list", "data": page, "has_more": has_more, "url": url }))
}

/// Whether an object's member is the value of the filter of the same name. A filter that is not sent selects
/// everything.
pub(crate) fn matches(params: &Params, object: &Value, member: &str) -> bool {
    params.text(member).is_none_or(|wanted| text(object, member) == wanted)
}

fn text<'a>(object: &'a Value, member: &str) -> &'a str {
    object.get(member).and_then(Value::as_str).unwrap_or_default()
}

/// The bounds of the member `created`, both inclusive.
struct CreatedRange {
    from: i64,
    until: i64,
}

impl CreatedRange {
    fn read(params: &Params) -> Result<Self, ApiError> {
        if params.text("created").is_some() {
            let exact = params.integer("created")?.unwrap_or_default();
            return Ok(Self { from: exact, until: exact });
        }
        let from = [
            params.integer("created.gte")?,
            params.integer("created.gt")?.map(|bound| bound.saturating_add(1)),
        ];
        let until = [
            params.integer("created.lte")?,
            params.integer("created.lt")?.map(|bound| bound.saturating_sub(1)),
        ];
        Ok(Self {
            from: from.into_iter().flatten().max().unwrap_or(i64::MIN),
            until: until.into_iter().flatten().min().unwrap_or(i64::MAX),
        })
    }

    fn contains(&self, object: &Value) -> bool {
        let created = object.get("created").and_then(Value::as_i64).unwrap_or_default();
        (self.from..=self.until).contains(&created)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The ids of a page of ten objects, `o9` the newest, and whether there are more.
    fn page(query: &str) -> Result<(Vec<String>, bool), ApiError> {
        let objects: Vec<Value> =
            (0..10).rev().map(|number| json!({ "id": format!("o{number}"), "created": number })).collect();
        let answer = list_answer(&Params::parse(query).unwrap(), objects.iter().collect(), "/v1/objects")?;
        let ids = answer["data"].as_array().unwrap().iter().map(|object| text(object, "id").to_owned());
        Ok((ids.collect(), answer["has_more"] == true))
    }

    fn ids(numbers: &[i32]) -> Vec<String> {
        numbers.iter().map(|number| format!("o{number}")).collect()
    }

    #[test]
    fn pages_go_forward_and_back() {
        assert_eq!(page("limit=3").unwrap(), (ids(&[9, 8, 7]), true));
        assert_eq!(page("limit=3&starting_after=o7").unwrap(), (ids(&[6, 5, 4]), true));
        assert_eq!(page("limit=3&starting_after=o3").unwrap(), (ids(&[2, 1, 0]), false));
        assert_eq!(page("limit=3&ending_before=o4").unwrap(), (ids(&[7, 6, 5]), true));
        assert_eq!(page("limit=3&ending_before=o8").unwrap(), (ids(&[9]), false));
        assert_eq!(page("").unwrap(), (ids(&[9, 8, 7, 6, 5, 4, 3, 2, 1, 0]), false));
    }

    #[test]
    fn created_bounds_select_objects() {
        assert_eq!(page("created[gte]=3&created[lt]=5").unwrap().0, ids(&[4, 3]));
        assert_eq!(page("created[gt]=3&created[lte]=5").unwrap().0, ids(&[5, 4]));
        assert_eq!(page("created=5").unwrap().0, ids(&[5]));
    }

    #[test]
    fn wrong_page_parameters_are_refused() {
        for query in
            ["limit=0", "limit=101", "limit=x", "starting_after=o10", "starting_after=o1&ending_before=o2"]
        {
            assert_eq!(page(query).unwrap_err().status, 400, "{query}");
        }
    }
}
