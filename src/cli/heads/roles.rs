//! `headlamp heads --roles`: the roles that heads were trained for, beside the names that their texts give them.

use std::collections::BTreeMap;
use std::path::Path;

use serde::{Deserialize, Serialize};

use crate::cli::error::CliError;
use crate::cli::inputs;
use crate::cli::output::CommandAnswer;
use crate::naming::CONSISTENCY_TEXTS;
use crate::protocol::{HeadNames, NamedHead};
use crate::session::Session;
use crate::text::units;

/// The roles of the heads of one model, by (layer, head).
pub struct Roles(BTreeMap<(usize, usize), String>);

/// A role in the file. Other members of the object are ignored.
#[derive(Deserialize)]
struct RoleEntry {
    role: String,
}

impl Roles {
    /// Reads `{"LAYER.HEAD": {"role": "PROPERTY"}}`.
    ///
    /// # Errors
    /// [`CliError::Io`]; [`CliError::Data`] if the file is not of this form.
    pub fn read(path: &Path) -> Result<Self, CliError> {
        let file: BTreeMap<String, RoleEntry> =
            serde_json::from_slice(&inputs::read(path)?).map_err(|err| CliError::data(path, err.to_string()))?;
        let place = |key: &str| -> Option<(usize, usize)> {
            let (layer, head) = key.split_once('.')?;
            Some((layer.parse().ok()?, head.parse().ok()?))
        };
        let role = |(key, entry): (String, RoleEntry)| match place(&key) {
            Some(place) => Ok((place, entry.role)),
            None => Err(CliError::data(path, format!("\u{201c}{key}\u{201d} is no head: write LAYER.HEAD"))),
        };
        file.into_iter().map(role).collect::<Result<_, _>>().map(Self)
    }
}

/// The trained roles beside the recovered names.
#[derive(Serialize)]
pub struct RolesAnswer<'a> {
    pack: &'a str,
    images: u64,
    /// Number of texts to choose from.
    pool: usize,
    /// Heads whose role is a property of the pool.
    with_role: usize,
    /// Heads of these whose name is their role, is another property, or which are mixed.
    recovered: usize,
    other_name: usize,
    mixed: usize,
    /// The mean over these heads: the share of the first five texts that belong to the role.
    consistency: f32,
    /// The same for random texts of the pool.
    chance: f32,
    heads: Vec<RoleRow<'a>>,
    /// Heads without a role of the pool's properties, and how many of them have a name.
    without_role: usize,
    without_role_named: usize,
}

/// A head of the file of roles.
#[derive(Serialize)]
struct RoleRow<'a> {
    layer: usize,
    head: usize,
    role: &'a str,
    /// `None`: mixed.
    name: Option<&'a str>,
    /// The largest share of a property.
    share: f32,
    p_value: f32,
    /// The share of the first five texts that belong to the role; `None` if the pool has no such property.
    consistency: Option<f32>,
    texts: Vec<&'a str>,
}

impl<'a> RolesAnswer<'a> {
    /// Compares the roles with the names of all heads.
    ///
    /// # Errors
    /// [`CliError::Session`] if the model has no head of the file.
    pub fn new(session: &'a Session, roles: &'a Roles, names: &'a HeadNames) -> Result<Self, CliError> {
        let mut heads = Vec::with_capacity(roles.0.len());
        for ((layer, head), role) in &roles.0 {
            session.has_head(*layer, *head)?;
            heads.push(RoleRow::new((*layer, *head), role, &names.heads[*layer][*head], names));
        }
        let with_role: Vec<&RoleRow<'_>> = heads.iter().filter(|head| head.consistency.is_some()).collect();
        let mean = |value: &dyn Fn(&RoleRow<'_>) -> f32| {
            with_role.iter().map(|head| value(head)).sum::<f32>() / with_role.len().max(1) as f32
        };
        let pool = session.pool().ok_or(CliError::NoPool)?;
        let mix = pool.texts.mix();
        let share = |role: &str| names.properties.iter().position(|name| name == role).map(|role| mix.share(role));
        let recovered = with_role.iter().filter(|head| head.name == Some(head.role)).count();
        let mixed = with_role.iter().filter(|head| head.name.is_none()).count();
        let named = names.heads.iter().flatten().filter(|head| head.property.is_some()).count();
        Ok(Self {
            pack: &session.manifest().name,
            images: names.images,
            pool: pool.texts.len(),
            with_role: with_role.len(),
            recovered,
            other_name: with_role.len() - recovered - mixed,
            mixed,
            consistency: mean(&|head| head.consistency.unwrap_or_default()),
            chance: mean(&|head| share(head.role).unwrap_or_default() as f32),
            without_role: names.heads.iter().flatten().count() - with_role.len(),
            without_role_named: named - (with_role.len() - mixed),
            heads,
        })
    }
}

impl<'a> RoleRow<'a> {
    fn new((layer, head): (usize, usize), role: &'a str, named: &'a NamedHead, names: &'a HeadNames) -> Self {
        let first = || named.texts.iter().take(CONSISTENCY_TEXTS);
        let of_role = first().filter(|label| label.property.as_deref() == Some(role)).count();
        Self {
            layer,
            head,
            role,
            name: names.name(named),
            share: named.share,
            p_value: named.p_value,
            consistency: names
                .properties
                .iter()
                .any(|name| name == role)
                .then_some(of_role as f32 / CONSISTENCY_TEXTS as f32),
            texts: first().map(|label| label.text.as_str()).collect(),
        }
    }

    /// Returns the head's row in a table in Markdown.
    fn line(&self) -> String {
        let of_role = |consistency: f32| {
            format!("{} of {CONSISTENCY_TEXTS}", (consistency * CONSISTENCY_TEXTS as f32).round())
        };
        format!(
            "| {}.{} | {} | {} | {} | {} | {} |",
            self.layer,
            self.head,
            self.role,
            self.name.unwrap_or("mixed"),
            units::percent(self.share),
            self.consistency.map_or_else(|| "–".to_owned(), of_role),
            self.texts.join("; ").replace('|', "\\|"),
        )
    }
}

impl CommandAnswer for RolesAnswer<'_> {
    fn in_words(&self) -> String {
        let Self { pack, images, pool, with_role, recovered, other_name, mixed, .. } = self;
        let rows: Vec<String> = self.heads.iter().map(RoleRow::line).collect();
        format!(
            "{pack}; texts: {pool}; pictures: {images}\n\n\
             | head | trained role | recovered name | share | of the role | first five texts |\n\
             |---|---|---|--:|--:|---|\n{}\n\nOf {with_role} heads with a trained role, {recovered} \
             have the role as their name, {other_name} another name, and {mixed} are mixed. Of a head's first \
             {CONSISTENCY_TEXTS} texts, {} belong to the role; of random texts, {} would. Of the {} other heads, {} \
             have a name.",
            rows.join("\n"),
            units::percent(self.consistency),
            units::percent(self.chance),
            self.without_role,
            self.without_role_named,
        )
    }
}
