"""Rolling deploys under load: two checkouts of the project, back and forth, with kills in every one."""
