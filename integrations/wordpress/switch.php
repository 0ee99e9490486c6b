<?php

/**
 * The switch "Not in the newsletter" beside a post, and its marker in the feed.
 *
 * The mark is stored before the post itself is: whoever reads the feed as soon as the post is in it
 * finds the marker, too.
 */

defined('ABSPATH') || exit;

const NEWSLETTER_DOOR_META = '_newsletter_door_skip';
const NEWSLETTER_DOOR_MARKER = 'no-newsletter';

/** Tell whether a post is kept out of the newsletter. */
function newsletter_door_skips(int $post): bool
{
    return (bool) get_post_meta($post, NEWSLETTER_DOOR_META, true);
}

/** Keep a post out of the newsletter, or let it in. */
function newsletter_door_mark(int $post, bool $skip): void
{
    if (!current_user_can('edit_post', $post)) {
        return;
    }
    if ($skip) {
        update_post_meta($post, NEWSLETTER_DOOR_META, 1);
    } else {
        delete_post_meta($post, NEWSLETTER_DOOR_META);
    }
}

add_action('init', function (): void {
    register_post_meta('post', NEWSLETTER_DOOR_META, [
        'type' => 'boolean',
        'single' => true,
        'show_in_rest' => ['schema' => ['context' => ['edit']]],
        'auth_callback' => function ($allowed, $key, $post) {
            return current_user_can('edit_post', $post);
        },
    ]);
});

/* The block editor: in the request that saves the post. */

add_action('enqueue_block_editor_assets', function (): void {
    $screen = get_current_screen();
    if ($screen !== null && $screen->base === 'post' && $screen->post_type === 'post') {
        $needs = ['wp-plugins', 'wp-edit-post', 'wp-element', 'wp-components', 'wp-data', 'wp-i18n'];
        wp_enqueue_script('newsletter-door-switch', plugins_url('switch.js', __FILE__), $needs, NEWSLETTER_DOOR_VERSION, true);
    }
});

add_filter('rest_pre_insert_post', function ($post, $request) {
    $meta = $request['meta'];
    if (!empty($post->ID) && is_array($meta) && array_key_exists(NEWSLETTER_DOOR_META, $meta)) {
        newsletter_door_mark((int) $post->ID, (bool) $meta[NEWSLETTER_DOOR_META]);
    }
    return $post;
}, 10, 2);

/* The classic editor: a box of its own. */

add_action('add_meta_boxes_post', function (): void {
    add_meta_box('newsletter-door', __('Newsletter', 'newsletter-door'), function ($post): void {
        wp_nonce_field('newsletter_door_' . $post->ID, 'newsletter_door_nonce');
        printf(
            '<label><input type="checkbox" name="newsletter_door_skip" value="1"%s> %s</label>',
            checked(newsletter_door_skips($post->ID), true, false),
            esc_html__('Not in the newsletter', 'newsletter-door')
        );
    }, 'post', 'side', 'default', ['__back_compat_meta_box' => true]);
});

add_action('pre_post_update', function ($id): void {
    if (wp_verify_nonce(newsletter_door_posted('newsletter_door_nonce'), 'newsletter_door_' . $id)) {
        newsletter_door_mark((int) $id, newsletter_door_posted('newsletter_door_skip') !== '');
    }
});

/* The feed. */

add_filter('the_category_rss', function ($list, $type) {
    $id = get_the_ID();
    if (!$id || !newsletter_door_skips($id)) {
        return $list;
    }
    return $list . ($type === 'atom'
        ? '<category term="' . NEWSLETTER_DOOR_MARKER . '" />'
        : '<category><![CDATA[' . NEWSLETTER_DOOR_MARKER . ']]></category>');
}, 10, 2);
