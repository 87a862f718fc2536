//! `/api/reloads`.

use axum::extract::State;

use crate::{Admin, answer::Json};

/// The last reloads, the newest first, each with what it changed or why it was refused.
pub(crate) async fn reloads(State(admin): State<Admin>) -> Json {
    Json(admin.reloads().json())
}
