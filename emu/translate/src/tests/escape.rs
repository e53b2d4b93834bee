//! Guests that try to reach beyond their space.
