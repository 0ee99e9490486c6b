<?php

/**
 * The form as a block and a shortcode: a frame with the list's own form, never stale in a cache.
 */

defined('ABSPATH') || exit;

/** Return the address of the list's own page, '' where none is set up. */
function newsletter_door_list_page(): string
{
    $settings = newsletter_door_settings();
    return $settings['url'] === '' || $settings['list'] === '' ? '' : $settings['url'] . '/' . $settings['list'] . '/';
}

/** Return the frame and, below it, the link for those whose browser shows none. */
function newsletter_door_form($attributes): string
{
    $page = newsletter_door_list_page();
    if ($page === '') {
        return current_user_can('manage_options')
            ? '<p>' . esc_html__('Newsletter: enter the address and list under Settings > Newsletter.', 'newsletter-door') . '</p>'
            : '';
    }
    $attributes = is_array($attributes) ? $attributes : [];
    $height = min(2000, max(100, absint($attributes['height'] ?? 560)));
    $dark = ($attributes['theme'] ?? '') === 'dark';
    wp_enqueue_script('newsletter-door-frame');
    $words = newsletter_door_words(determine_locale());
    return sprintf(
        '<iframe class="newsletter-door" src="%s" title="%s" height="%d" loading="lazy" style="display:block;width:100%%;border:0;color-scheme:light"></iframe><p><a href="%s">%s</a></p>',
        esc_url($page . 'embed' . ($dark ? '?theme=dark' : '')),
        esc_attr($words[0]),
        $height,
        esc_url($page),
        esc_html($words[1])
    );
}

/** Return the block: the form within what was chosen for it in the editor. */
function newsletter_door_block($attributes): string
{
    $form = newsletter_door_form($attributes);
    return $form === '' ? '' : '<div ' . get_block_wrapper_attributes() . '>' . $form . '</div>';
}

/** Return the shortcode's form. */
function newsletter_door_shortcode($attributes): string
{
    $form = newsletter_door_form($attributes);
    return $form === '' ? '' : '<div>' . $form . '</div>';
}

add_action('init', function (): void {
    $url = plugins_url('', __FILE__);
    wp_register_script('newsletter-door-frame', $url . '/frame.js', [], NEWSLETTER_DOOR_VERSION, true);
    $needs = ['wp-blocks', 'wp-element', 'wp-block-editor', 'wp-components', 'wp-i18n', 'newsletter-door-frame'];
    wp_register_script('newsletter-door-block', $url . '/block.js', $needs, NEWSLETTER_DOOR_VERSION, true);
    $door = wp_json_encode(['page' => newsletter_door_list_page()]);
    wp_add_inline_script('newsletter-door-block', 'window.newsletterDoor = ' . $door . ';', 'before');
    register_block_type(__DIR__, ['render_callback' => 'newsletter_door_block']);
    add_shortcode('newsletter', 'newsletter_door_shortcode');
});
